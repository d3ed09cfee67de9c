#ifndef AGENCIES_AGENCIES_H
#define AGENCIES_AGENCIES_H

#include "module/module.h"

/* The province's agencies: the dated tree, on screen and by API, and its
 * import from a table. */
extern const struct module agencies_module;

#endif
