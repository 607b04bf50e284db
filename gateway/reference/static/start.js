const LONG = 80; // characters: what a longer pattern admits is told by the description beside it

function withoutLongPatterns(_, value) {
  if (value && typeof value.pattern === "string" && value.pattern.length > LONG) {
    const { pattern, ...others } = value;
    return others;
  }
  return value;
}

// Swagger UI closes a lock once a token was entered. Here it is closed where a token is needed and
// open where one may be left out, and words beside it say so.
function tokenLocks() {
  return {
    wrapComponents: {
      OperationSummary: (Original, { React }) => (props) => {
        const security = props.operationProps.get("security");
        const isOptional = Boolean(security?.some((requirement) => requirement.isEmpty()));
        const operationProps = props.operationProps.set("isAuthorized", !isOptional);
        const className = `labelled ${isOptional ? "token-optional" : "token-needed"}`;
        const summary = React.createElement(Original, { ...props, operationProps });
        return React.createElement("div", { className }, summary);
      },
    },
  };
}

function followColourScheme(dark) {
  document.documentElement.classList.toggle("dark-mode", dark.matches);
}

async function start() {
  const answer = await fetch("/openapi.json");
  SwaggerUIBundle({
    spec: JSON.parse(await answer.text(), withoutLongPatterns),
    dom_id: "#swagger-ui",
    deepLinking: true,
    defaultModelsExpandDepth: -1,
    displayRequestDuration: true,
    plugins: [tokenLocks],
    tryItOutEnabled: true,
    validatorUrl: null,
  });
}

const dark = matchMedia("(prefers-color-scheme: dark)");
dark.addEventListener("change", followColourScheme);
followColourScheme(dark);
start();
