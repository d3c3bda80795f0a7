/** Sets the wall clock CLOCK_SHIFT seconds ahead. */
const { Date: RealDate } = globalThis;
const shift = Number(process.env.CLOCK_SHIFT) * 1000;

globalThis.Date = class extends RealDate {
  constructor(...args) {
    super(...(args.length === 0 ? [RealDate.now() + shift] : args));
  }

  static now() {
    return RealDate.now() + shift;
  }
};
