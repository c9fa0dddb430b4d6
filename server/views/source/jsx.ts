/** What the build puts into the place of JSX. */
export { Fragment, h } from "preact";
