/**
 * The GitHub account that publishes the action. The one place to set it: `npm run generate` writes it into
 * README, docs, examples and package.json.
 */
export const owner = "OWNER";
