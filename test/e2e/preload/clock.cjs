/** The wall clock is `SHIFT_CLOCK` seconds ahead of the machine's. */
const { Date: RealDate } = globalThis;
const shift = Number(process.env.SHIFT_CLOCK) * 1000;

globalThis.Date = class extends RealDate {
  constructor(...args) {
    super(...(args.length === 0 ? [RealDate.now() + shift] : args));
  }

  static now() {
    return RealDate.now() + shift;
  }
};
