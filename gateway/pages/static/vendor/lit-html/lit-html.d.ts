// What the pages use of lit-html, for `make pages-check`.
type Template = (strings: TemplateStringsArray, ...values: unknown[]) => unknown;
export const html: Template;
export const nothing: unknown;
export function render(template: unknown, element: Element): void;
