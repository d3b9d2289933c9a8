/** imglab/wimfile: WIMs by libwim: captured from NTFS volumes, or of files in memory. */
#ifndef IMGLAB_WIMFILE_H
#define IMGLAB_WIMFILE_H

#include "base/base.h"

#include "model.h"

/** One image of a WIM. Text is borrowed. */
struct lab_wim_image {
	const char *volume;      /**< file that holds the NTFS volume */
	const char *name;        /**< NAME and DESCRIPTION */
	const char *display;     /**< DISPLAYNAME, or NULL */
	const char *edition;     /**< EDITIONID and FLAGS */
	const char *product;     /**< PRODUCTNAME is always the operating system's; this is INSTALLATIONTYPE */
	unsigned build;          /**< of Windows */
	const char *branch;      /**< "rs5_release" */
	const char *product_type;/**< WinNT, ServerNT */
	bool boots;              /**< the header's boot index */
};

/**
 * Capture and write, LZX level 20 in chunks of 32 KiB.
 *
 * @param epoch  creation and modification time in the XML
 * @param name   what the GUID is made from
 * Throws IB_ERR_SYSTEM when libwim refuses.
 */
bool lab_wim_write(const char *path, const struct lab_wim_image *images, size_t count, const char *name, int64_t epoch,
		   struct ib_error **err) IB_MUST_CHECK;

/**
 * Write one image of a few files, as an .msu of Windows 11 is.
 *
 * @param work     folder for them in the meantime; made here, removed by the caller
 * @param members  struct lab_member; names without backslashes
 * @param epoch    time of everything
 */
bool lab_wim_of_files(const char *path, const char *work, const GPtrArray *members, int64_t epoch, struct ib_error **err)
	IB_MUST_CHECK;

#endif
