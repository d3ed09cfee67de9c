#ifndef KHIEN_SERVER_KEYS_H
#define KHIEN_SERVER_KEYS_H

#include "server.h"

/* The centre's keys under DATA/keys, mode 0600: its authority, its own
 * certificate (made anew when its names change or it runs out), the key that
 * signs signature sets.  Text and bytes go into *s. */
enum err keys_open(struct setup *s, struct errinfo *ei) MUST_USE;

#endif
