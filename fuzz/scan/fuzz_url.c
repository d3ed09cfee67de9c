#include <assert.h>
#include <string.h>

#include "scan/links/url.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool
on_form(void *arg, struct span form)
{
	size_t *n = arg;
	const char *slash = memchr(form.ptr, '/', form.len);

	assert(form.len <= URL_FORM_MAX && slash != NULL && slash > form.ptr);
	for (const char *p = slash; p < form.ptr + form.len; p++)
		assert(*p > ' ' && *p < 0x7f && *p != '#');
	++*n;
	return true;
}

static bool
is_plain(struct span host)
{
	for (size_t i = 0; i < host.len; i++)
		if ((signed char)host.ptr[i] < 0 || host.ptr[i] == '%')
			return false;
	return true;
}

static void
check(struct span text, enum url_side side, struct url *u)
{
	char again[URL_HOST_MAX + 16] = "http://";
	struct url v;
	bool ok;

	if (!url_read(text, side, u))
		return;
	assert(u->host.len > 0 && u->host.len < URL_HOST_MAX);
	for (size_t i = 0; i < u->host.len; i++)
		assert((unsigned char)u->host.ptr[i] > ' ' &&
		    memchr("/?#@", u->host.ptr[i], 4) == NULL &&
		    (u->host.ptr[i] < 'A' || u->host.ptr[i] > 'Z'));
	assert(url_same_owner(u->host, u->host));
	(void)url_is_number(u->host);
	/* A host that was read is read as itself. */
	if (!is_plain(u->host))
		return;
	memcpy(again + 7, u->host.ptr, u->host.len);
	ok = url_read((struct span){ again, 7 + u->host.len }, URL_REAL, &v);
	assert(ok && span_eq(v.host, u->host));
}

/* A link of any bytes is none, or has a host as they are compared. */
int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span text = { (const char *)data, size };
	struct url real, shown;
	size_t forms = 0;

	real.host = shown.host = SPAN("a");
	check(text, URL_REAL, &real);
	check(text, URL_SHOWN, &shown);
	if (real.host.len > 0 && shown.host.len > 0)
		assert(url_same_owner(real.host, shown.host) ==
		    url_same_owner(shown.host, real.host));
	(void)url_forms(text, on_form, &forms);
	assert(forms <= 30);
	return 0;
}
