import { connect, type Socket } from "node:net";

/** What a server sent until it closed the connection. */
export interface RawAnswer {
  /** 0 when it sent nothing. */
  readonly status: number;
  readonly headers: Readonly<Partial<Record<string, string>>>;
  readonly body: string;
  /** All of it, as it came. */
  readonly text: string;
  /** Milliseconds from the connection to its end. */
  readonly took: number;
}

/** One connection on loopback that a test writes into as it likes. */
export interface RawConnection {
  readonly socket: Socket;
  readonly write: (text: string) => void;
  /** Resolves when the server has closed, or the connection broke. */
  readonly answer: Promise<RawAnswer>;
}

/** Opens a connection to a port of 127.0.0.1, at which nothing is written yet. */
export function openRaw(port: number): RawConnection {
  const began = performance.now();
  const socket = connect(port, "127.0.0.1");
  let text = "";
  socket.setEncoding("latin1").on("data", (chunk: string) => (text += chunk));
  socket.on("error", () => undefined);
  return {
    socket,
    write: (more) => socket.write(more, "latin1"),
    answer: new Promise((resolve) => {
      socket.once("close", () => {
        resolve({ ...parse(text), text, took: performance.now() - began });
      });
    }),
  };
}

/** Sends `text` at once and waits for the end of the connection. */
export function askRaw(port: number, text: string): Promise<RawAnswer> {
  const { write, answer } = openRaw(port);
  write(text);
  return answer;
}

function parse(text: string): Pick<RawAnswer, "status" | "headers" | "body"> {
  const [head = "", ...body] = text.split("\r\n\r\n");
  const [line = "", ...fields] = head.split("\r\n");
  const headers = fields.map((field) => {
    const colon = field.indexOf(":");
    return [field.slice(0, colon).toLowerCase(), field.slice(colon + 1).trim()] as const;
  });
  return {
    status: Number(/^HTTP\/1\.1 (\d{3})/.exec(line)?.[1] ?? 0),
    headers: Object.fromEntries(headers),
    body: body.join("\r\n\r\n"),
  };
}
