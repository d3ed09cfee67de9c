#include "formats/disk/image.h"
bool
files_ntfs(struct image *i, struct peel *out)
{
	(void)i;
	(void)out;
	return true;
}
