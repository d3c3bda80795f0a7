import { refuses, type Scene, type Told } from "./scene.ts";

/** The same wrong value for some inputs. It is not repeated, if it is long enough to be told from other text. */
export const wrong = (value: string, told: Readonly<Record<string, Told>>): Scene => {
  const shown = JSON.stringify(value);
  return {
    name: `${shown.length > 60 ? `${shown.slice(0, 60)}..."` : shown} as ${Object.keys(told).join(" or ")} is refused before any request`,
    inputs: Object.fromEntries(Object.keys(told).map((input) => [input, value])),
    expect: refuses(Object.values(told), { never: value.trim().length > 8 ? [value.trim()] : [] }),
  };
};

/** What is said of a path that leads nowhere. */
export const NO_FILE = "ca-cert is neither PEM text nor the path of a file that can be read.";
