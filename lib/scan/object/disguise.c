#include <string.h>
#include <strings.h>

#include "formats/bytes.h"
#include "scan/object/scanner_int.h"

/* Members whose names say other than what they are. */

#define BLANKS 10u /* push an ending out of sight */

static const char *const harmless[] = { "doc", "docx", "xls", "xlsx", "ppt",
	"pptx", "odt", "ods", "pdf", "rtf", "txt", "csv", "jpg", "jpeg", "png",
	"gif", "bmp", "mp3", "mp4", "avi", "htm", "html", "zip", "rar", "7z" };
static const char *const harmful[] = { "exe", "scr", "com", "pif", "bat", "cmd",
	"cpl", "dll", "js", "jse", "vbs", "vbe", "wsf", "wsh", "hta", "lnk",
	"jar", "ps1", "msi", "reg", "sh" };
static const bool programs[FORMATS] = { [FORMAT_MSEXE] = true,
	[FORMAT_ELF] = true,
	[FORMAT_MACHO] = true,
	[FORMAT_LNK] = true };

static bool
is_one_of(struct span s, const char *const *list, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (s.len == strlen(list[i]) &&
		    strncasecmp(s.ptr, list[i], s.len) == 0)
			return true;
	return false;
}

/* What follows the last dot; *rest is what stands in front of it. */
static struct span
ending(struct span name, struct span *rest)
{
	size_t at = name.len;

	while (at > 0 && name.ptr[at - 1] != '.' && name.ptr[at - 1] != '/' &&
	    name.ptr[at - 1] != '\\')
		at--;
	if (at == 0 || name.ptr[at - 1] != '.') {
		*rest = name;
		return SPAN("");
	}
	*rest = (struct span){ name.ptr, at - 1 };
	return span_from(name, at);
}

static bool
has_blanks(struct span name)
{
	size_t n = 0;

	for (size_t i = 0; i < name.len && n < BLANKS; i++)
		n = name.ptr[i] == ' ' ? n + 1 : 0;
	return n == BLANKS;
}

/* "bill.pdf.exe", "bill.pdf          .exe", or read from right to left. */
static bool
hides_ending(struct span name)
{
	/* U+202E, after which text runs from right to left */
	static const char override[] = { '\xe2', '\x80', '\xae' };
	const struct span mark = { override, sizeof(override) };
	struct span rest, last = ending(name, &rest), before;

	if (!is_one_of(last, harmful, COUNT(harmful)))
		return memmem(name.ptr, name.len, mark.ptr, mark.len) != NULL;
	before = ending(span_trim(rest), &rest);
	return has_blanks(name) ||
	    memmem(name.ptr, name.len, mark.ptr, mark.len) != NULL ||
	    is_one_of(span_trim(before), harmless, COUNT(harmless));
}

void
disguise_look(struct scanner *s, const struct object *member, struct span name)
{
	struct span rest;

	if ((s->limits.heuristics & SCAN_H_DISGUISED) == 0 || name.len == 0)
		return;
	if (hides_ending(name))
		scanner_suspect(s, member, "Disguised.Ending");
	else if (programs[member->format] &&
	    is_one_of(ending(name, &rest), harmless, COUNT(harmless)))
		scanner_suspect(s, member, "Disguised.Program");
}
