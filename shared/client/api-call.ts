import type { HttpAnswer, HttpRequest } from "../http/send.ts";
import { AuthError } from "../report/errors.ts";
import type { Flight } from "../token/flight.ts";
import { judgeApi, repeatFailure } from "./api-answer.ts";

/**
 * Makes one call to the API, with the repeats that are harmless for its method. When the tries are used up, what the
 * API said last is the answer: it tells more than that they are.
 *
 * @param flight - carries this call alone, and is ended with it
 * @throws AuthError when there is no answer
 */
export async function callApi(request: HttpRequest, flight: Flight): Promise<HttpAnswer> {
  const { method } = request;
  let last: HttpAnswer | undefined;
  try {
    const { value } = await flight.ask(
      "call to the SCM API",
      request,
      (answer) => {
        last = answer;
        return judgeApi(answer, method);
      },
      (error) => repeatFailure(error, method),
    );
    return value;
  } catch (error) {
    if (last !== undefined && AuthError.isAuthError(error) && error.status === last.status) return last;
    throw error;
  } finally {
    await flight.end();
  }
}
