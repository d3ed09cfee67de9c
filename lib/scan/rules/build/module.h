#ifndef SCAN_RULES_BUILD_MODULE_H
#define SCAN_RULES_BUILD_MODULE_H

#include "scan/rules/build/node.h"

/* What we know of the modules that rules import.  What a module costs in
 * every scan of a leaf that uses it: pe alone as much as a thousand
 * conditions.  Those that cost nothing share a bit. */
#define MODULE_CHEAP  0x01u
#define MODULE_PE     0x02u
#define MODULE_ELF    0x04u
#define MODULE_DOTNET 0x08u
#define MODULE_MACHO  0x10u
#define MODULE_OTHER  0x20u

uint32_t module_bit(struct span name);
/* Holds for every object of which one of these modules knows something; NULL:
 * that is not known. */
const struct gate_node *module_begins(struct gate_maker *m, uint32_t modules);

#endif
