// The code of somebody's own page comes in the address behind the #, which no server and no log sees: it goes into its
// field and out of the address.
const field = document.querySelector<HTMLInputElement>("[data-fragment]");
const code = location.hash.slice(1);
if (field && /^[0-9A-Za-z]{1,40}$/.test(code)) {
  field.value = code.match(/.{1,4}/g)!.join("-");
  history.replaceState(null, "", location.pathname);
  document.querySelector<HTMLInputElement>("input[name=answer]")?.focus();
}
export {};
