#ifndef ENDPOINT_INVENTORY_H
#define ENDPOINT_INVENTORY_H

#include "base/json.h"

/* What this computer is, read from /proc, /sys, /etc and the interfaces.
 * What cannot be read is left out, never guessed. */

/* {"host","kind":"server|workstation|terminal","os","os_version","kernel",
 *  "arch","memory_mb","disk_mb","cpu","addresses":[],"macs":[]}.  `root` is
 * "" but in tests, which lay out their own /proc, /sys and /etc below it.
 * *out is the caller's. */
enum err
inventory_read(const char *root, json_t **out, struct errinfo *ei) MUST_USE;

/* SHA-256 hex over machine-id, DMI product UUID and serial, and, where DMI
 * gives neither, the MAC addresses of built-in wired interfaces: a hint that
 * tells a clone of a disk image, never an identity.  Known fake DMI values are
 * left out. */
enum err inventory_fingerprint(
    const char *root, char out[65], struct errinfo *ei) MUST_USE;

#endif
