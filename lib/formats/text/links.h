#ifndef TEXT_LINKS_H
#define TEXT_LINKS_H

#include "base/span.h"

/* The links of a page, or of a text with tags in it, as a reader of mail is
 * shown them: where each leads, and what is there to be clicked.
 *
 *	<a href=REAL>SHOWN</a>		tags within are not shown
 *	<a href=REAL title=SHOWN>
 *	<img src=SHOWN> within <a href=REAL> or <form action=REAL>;
 *	iframe, frame, input, embed, area alike
 *	<a href=SHOWN> within <form action=REAL>
 *	<form action=REAL>		nothing is shown
 *
 * Entities are decoded; what does not exist in ASCII is UTF-8.  Both texts
 * are cut at LINK_TEXT_MAX bytes. */
#define LINK_TEXT_MAX 2048u

typedef bool
link_fn(void *arg, struct span real, struct span shown); /* false: stop */
void links_read(struct span page, link_fn *fn, void *arg);

#endif
