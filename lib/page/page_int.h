#ifndef PAGE_PAGE_INT_H
#define PAGE_PAGE_INT_H

#include "base/arena.h"
#include "page/page.h"

/* Inside the room: a template as a tree, made once, walked for each page. */

#define TEMPLATE_MAX     (256u << 10) /* bytes of a file */
#define TEMPLATES_MAX    512          /* of a set */
#define TEMPLATE_DEPTH   32           /* sections within sections */
#define TEMPLATE_FOLDERS 8            /* folders within folders */
#define SET_ARENA_MAX    (64u << 20)
#define RENDER_DEPTH     64         /* sections and partials, one in another */
#define RENDER_STEPS     (1u << 22) /* nodes walked for one page */

enum node_kind {
	NODE_TEXT,       /* as it stands */
	NODE_VALUE,      /* {{path}} */
	NODE_RAW,        /* {{&path}} */
	NODE_SECTION,    /* {{#path}} */
	NODE_INVERTED,   /* {{^path}} */
	NODE_PARTIAL,    /* {{>name}} */
	NODE_TRANSLATED, /* {{_ text}} */
};

struct node {
	enum node_kind kind;
	size_t line;
	const char *text;               /* NUL-terminated, in the arena */
	struct span span;               /* the same */
	struct node *child;             /* of a section, the first */
	const struct template *partial; /* linked when all are loaded */
	struct node *next;
};

struct template
{
	const char *name; /* "agents/list" */
	struct node *first;
};

struct page_set {
	struct arena *arena;
	struct template list[TEMPLATES_MAX]; /* by name once loaded */
	size_t count;
};

/* *out is the tree of `text`, in the arena; errors name `name` and line. */
enum err template_parse(struct span text, const char *name, struct arena *a,
    struct node **out, struct errinfo *ei) MUST_USE;
/* Adds a template to a set that is being built. */
enum err page_add(struct page_set *ps, const char *name, struct span text,
    struct errinfo *ei) MUST_USE;
/* Sorts the templates and links the partials; nothing is added afterwards. */
enum err page_link(struct page_set *ps, struct errinfo *ei) MUST_USE;
struct page_set *page_set_new(void); /* NULL when memory is out */
const struct template *page_find(const struct page_set *ps, const char *name);

#endif
