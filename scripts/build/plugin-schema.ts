import ts from "typescript";
import { VERSION } from "../../shared/version.ts";

/**
 * Creates the package schema of the plugin, from which Pulumi generates SDKs
 * (https://www.pulumi.com/docs/iac/guides/building-extending/packages/schema/). The properties and their descriptions are
 * those of the TypeScript API, so that there is one source for all languages.
 */

const ARGS = "provider/args.ts";
const RESOURCES = "provider/resources.ts";
const RESULTS = "provider/service-accounts.ts";

type Json = Readonly<Record<string, unknown>>;

/** Properties that are secrets in every language. */
const SECRETS = ["clientSecret", "accessToken"];
/** TypeScript does not distinguish integers from other numbers. */
const INTEGERS = ["maxRetries"];

export function createPluginSchema(): Json {
  const program = ts.createProgram([ARGS, RESOURCES, RESULTS], {
    module: ts.ModuleKind.NodeNext,
    allowImportingTsExtensions: true,
    noEmit: true,
    strict: true,
  });
  const checker = program.getTypeChecker();

  const find = (path: string, name: string): ts.Symbol => {
    const file = program.getSourceFile(path);
    const symbol = file && checker.getSymbolAtLocation(file);
    const found = symbol && checker.getExportsOfModule(symbol).find((exported) => exported.name === name);
    if (found === undefined) throw new Error(`${path} does not export ${name}`);
    return found;
  };
  const describe = (symbol: ts.Symbol): string =>
    ts.displayPartsToString(symbol.getDocumentationComment(checker)).replaceAll(/\s+/g, " ");

  /** Describes properties as a schema does. */
  const toObject = (symbols: readonly ts.Symbol[]) => {
    const properties = symbols.map((symbol) => {
      const type = checker.typeToString(checker.getTypeOfSymbol(symbol));
      const isNumber = /\bnumber\b/.test(type);
      if (!isNumber && !/\bstring\b/.test(type)) throw new Error(`${symbol.name} has the type ${type}`);
      return [
        symbol.name,
        {
          type: !isNumber ? "string" : INTEGERS.includes(symbol.name) ? "integer" : "number",
          description: describe(symbol),
          ...(SECRETS.includes(symbol.name) && { secret: true }),
        },
      ] as const;
    });
    const isRequired = ({ flags }: ts.Symbol): boolean => (flags & ts.SymbolFlags.Optional) === 0;
    return { properties: Object.fromEntries(properties), required: symbols.filter(isRequired).map(({ name }) => name) };
  };
  const toType = (path: string, name: string) =>
    toObject(checker.getPropertiesOfType(checker.getDeclaredTypeOfSymbol(find(path, name))));
  const toResource = (name: string): Json => {
    const symbol = find(RESOURCES, name);
    const isOwn = (property: ts.Symbol): boolean =>
      property.valueDeclaration?.getSourceFile().fileName.endsWith(RESOURCES) === true;
    const outputs = toObject(checker.getPropertiesOfType(checker.getDeclaredTypeOfSymbol(symbol)).filter(isOwn));
    const inputs = toType(ARGS, `${name}Args`);
    return {
      description: describe(symbol),
      ...outputs,
      inputProperties: inputs.properties,
      requiredInputs: inputs.required,
    };
  };

  return {
    name: "scm-auth",
    version: VERSION,
    displayName: "scm-auth",
    description:
      "Credentials for Palo Alto Networks Strata Cloud Manager: an auth file for the scm provider, and tokens.",
    license: "Apache-2.0",
    homepage: "https://github.com/OWNER/scm-auth",
    repository: "https://github.com/OWNER/scm-auth",
    resources: {
      "scm-auth:index:AuthFile": toResource("AuthFile"),
      "scm-auth:index:AccessToken": toResource("AccessToken"),
    },
    functions: {
      "scm-auth:index:getAccessToken": {
        description:
          "Returns a token for use inside the program: the token in an auth file while it is valid, or a new one.",
        inputs: toType(ARGS, "GetAccessTokenOutputArgs"),
        outputs: toType(RESULTS, "GetAccessTokenResult"),
      },
    },
    language: {
      nodejs: { respectSchemaVersion: true },
      python: { respectSchemaVersion: true },
      // Without the path, the generated files import each other from a directory with a hyphen, which does not exist.
      go: { respectSchemaVersion: true, importBasePath: "github.com/OWNER/scm-auth/sdk/go/scmauth" },
    },
  };
}
