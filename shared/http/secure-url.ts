const LOOPBACK = /^(localhost|127(\.\d+){3}|\[::1\])$/;

/** Whether a secret may travel to `url`: by https, or without leaving this machine. */
export const isSecure = ({ protocol, hostname }: URL): boolean =>
  protocol === "https:" || (protocol === "http:" && LOOPBACK.test(hostname));
