// The state of a page is its address: read from it, written to it, shared by copying it.

const SHARED = ["lang", "theme"]; // what stays when another page is opened

/** The settings in the address. */
export function settings() {
  return Object.fromEntries(new URLSearchParams(location.search));
}

/** The address of a page with these settings; what is empty is left out. */
export function address(page, given) {
  const kept = Object.entries(given).filter(([, value]) => value !== null && value !== undefined && value !== "");
  const query = new URLSearchParams(kept).toString().replace(/%(40|2C|28|29|3D)/g, decodeURIComponent); // @ , ( ) = can be read as they are
  return `/${page}${query ? "?" + query : ""}`;
}

/** The settings that another page is opened with. */
export function shared(given) {
  return Object.fromEntries(SHARED.filter((name) => given[name]).map((name) => [name, given[name]]));
}

/** A list split at the commas outside parentheses. */
export function split(text) {
  const parts = [""];
  let depth = 0;
  for (const letter of text ?? "") {
    depth += (letter === "(") - (letter === ")");
    if (letter === "," && depth === 0) parts.push("");
    else parts[parts.length - 1] += letter;
  }
  return parts.map((part) => part.trim()).filter(Boolean);
}
