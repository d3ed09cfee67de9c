#ifndef PAGE_PAGE_H
#define PAGE_PAGE_H

#include "base/buf.h"
#include "base/i18n.h"
#include "base/json.h"

/* HTML pages from templates.  A template is a file NAME.html:
 *	{{path.to.value}}	the value, escaped for text and attributes
 *	{{#list}}..{{/list}}	once for each item (with the item's members in
 *				sight, then the outer ones), once for an object
 *				or a true value, not at all for false, null,
 *				"", 0 and []
 *	{{^x}}..{{/x}}		if {{#x}} would show nothing
 *	{{>name}}		another template in place
 *	{{.}}			the item itself
 *	{{_ English text}}	its translation, escaped; %{name} inside is
 *				replaced by that value, escaped
 *	{{&svg}}		not escaped: only for what page_*_svg() made;
 *				anything else is an error
 * There is no other way to write unescaped text.  A path that leads nowhere
 * and null are empty text; a list or object as {{value}} is an error.  First
 * the nearest scope that has the first part of a path is found, then the rest
 * of the path inside of it. */

#define PAGE_MAX (4u << 20) /* bytes of a page */

struct page_set; /* read-only after loading: any thread */

/* Parses every *.html below `dir`; names are paths without ".html".  A
 * mistake is named by file and line. */
enum err
page_load(const char *dir, struct page_set **out, struct errinfo *ei) MUST_USE;
void page_free(struct page_set *ps); /* accepts NULL */
enum err page_render(const struct page_set *ps, const char *name,
    const struct i18n *lang, const json_t *data, struct buf *out,
    struct errinfo *ei) MUST_USE;

/* Appends `s` escaped for HTML text and quoted attributes. */
void page_escape(struct buf *out, struct span s);

/* SVG fragments, styled by classes of the page's own style sheet.  Every
 * chart has a title for those who do not see it. */
struct page_part {
	const char *label;
	const char *css_class; /* "good", "bad", "unknown" */
	int64_t value;         /* >= 0 */
};
/* One horizontal bar divided in proportion, of 8 parts at most. */
void page_bar_svg(struct buf *out, const char *title,
    const struct page_part *parts, size_t n);
/* A line over days: values[i] is day i, oldest first; -1 is a gap. */
void page_line_svg(
    struct buf *out, const char *title, const int64_t *values, size_t n);

#endif
