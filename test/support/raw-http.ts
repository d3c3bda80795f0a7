import { connect, type Socket } from "node:net";

/** The data that a server sent before it closed the connection. */
export interface RawResponse {
  /** The status, or 0 if the server sent nothing. */
  readonly status: number;
  readonly headers: Readonly<Partial<Record<string, string>>>;
  readonly body: string;
  /** All bytes, decoded as latin1. */
  readonly text: string;
  /** Milliseconds from the start of the connection to its end. */
  readonly durationMs: number;
}

/** A loopback connection to which a test can write any bytes. */
export interface RawConnection {
  readonly socket: Socket;
  readonly write: (text: string) => void;
  /** Resolves when the server has closed the connection or the connection has broken. */
  readonly response: Promise<RawResponse>;
}

/** Connects to a port on 127.0.0.1 without writing anything. */
export function openRawConnection(port: number): RawConnection {
  const start = performance.now();
  const socket = connect(port, "127.0.0.1");
  let text = "";
  socket.setEncoding("latin1").on("data", (chunk: string) => (text += chunk));
  socket.on("error", () => undefined);
  return {
    socket,
    write: (more) => socket.write(more, "latin1"),
    response: new Promise((resolve) => {
      socket.once("close", () => {
        resolve({ ...parse(text), text, durationMs: performance.now() - start });
      });
    }),
  };
}

/** Sends `text` and waits for the end of the connection. */
export function sendRaw(port: number, text: string): Promise<RawResponse> {
  const { write, response } = openRawConnection(port);
  write(text);
  return response;
}

function parse(text: string): Pick<RawResponse, "status" | "headers" | "body"> {
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
