#ifndef DISK_DISK_H
#define DISK_DISK_H

#include "formats/peel.h"

/* Images of disks, of their partitions and of floppies.  What each opener
 * gives out, and what it leaves, stands at the head of its source. */

/* FORMAT_ANY when it is none of those below, by what stands in its first
 * sectors. */
enum format disk_format(struct span object);

void open_mbr(struct span object, struct peel *out);
void open_gpt(struct span object, struct peel *out);
void open_apm(struct span object, struct peel *out);
void open_vhd(struct span object, struct peel *out);
void open_fat(struct span object, struct peel *out);
void open_exfat(struct span object, struct peel *out);
void open_ntfs(struct span object, struct peel *out);
void open_udf(struct span object, struct peel *out);

#endif
