#ifndef FORMATS_OFFICE_H
#define FORMATS_OFFICE_H

#include "formats/peel.h"

/* DOCUMENTS OF OFFICE PROGRAMS taken apart.  What each opener hands out, with
 * the names of its members and of what it suspects, is in README.md. */

/* Compound files ([MS-CFB]): Word, Excel, PowerPoint of 97 to 2003, MSI, MSG,
 * HWP 5, vbaProject.bin, encrypted OOXML. */
opener_fn open_ole2;
/* RTF 1.9.1: the objects that are embedded as hex. */
opener_fn open_rtf;
/* A section of OneNote ([MS-ONESTORE]): embedded files. */
opener_fn open_onenote;
/* winmail.dat ([MS-OXTNEF]): attachments and the message's body. */
opener_fn open_tnef;
/* Parts of workbooks of 2007 and later: a macro sheet of Excel 4, as XML or
 * binary ([MS-XLSB]); the binary workbook with the names in it. */
opener_fn open_macro_sheet;
opener_fn open_macro_names;

#endif
