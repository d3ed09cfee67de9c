#ifndef SCAN_URL_H
#define SCAN_URL_H

#include "base/span.h"

/* Links as the lists of phishing mail know them: a scheme and a host.  Blanks,
 * control characters and what nobody sees are gone, a backslash is a slash,
 * hosts are unescaped and in small letters. */
#define URL_TEXT_MAX   2048u /* bytes of a link that are looked at */
#define URL_SCHEME_MAX 8u
#define URL_HOST_MAX   256u

enum url_side {
	URL_REAL, /* where a link leads: begins with its scheme, or is a host */
	URL_SHOWN /* what a reader sees: there may be something around it */
};
struct url {
	char scheme_text[URL_SCHEME_MAX], host_text[URL_HOST_MAX];
	struct span scheme, host; /* of these; a scheme may be empty */
	bool cloaked; /* the host goes on behind an escaped zero byte */
};
/* False: the text is no link; then *out is undefined. */
bool url_read(struct span text, enum url_side side, struct url *out);

/* Whether the same owner answers for both hosts: the same name below what
 * registries sell ("com", "com.vn"). */
bool url_same_owner(struct span a, struct span b);
/* The host is an address: "1.2.3.4", "16909060". */
bool url_is_number(struct span host);

/* The forms under which lists of hashes have a link (Safe Browsing): up to 5
 * hosts, each with up to 6 paths: "evil.example/a/".  False when `fn` was. */
#define URL_FORM_MAX (URL_HOST_MAX + 3 * URL_TEXT_MAX)
typedef bool url_form_fn(void *arg, struct span form); /* false: enough */
bool url_forms(struct span text, url_form_fn *fn, void *arg);

#endif
