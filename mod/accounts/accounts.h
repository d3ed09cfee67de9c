#ifndef ACCOUNTS_ACCOUNTS_H
#define ACCOUNTS_ACCOUNTS_H

#include "module/module.h"

/* Signing in and out, the own password, the language. */
extern const struct module accounts_module;

#endif
