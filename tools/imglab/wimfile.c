/* Capture by libwim, with everything it would take from clock or chance set by hand. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include <wimlib.h>

#include "base/file.h"

#include "digest/digest.h"

#include "wimfile.h"

#define FILETIME_EPOCH 11644473600LL
/* Fast, and below the cliff where libwim gets seven times slower for three per cent. */
#define LEVEL 20
#define CHUNK 32768u

static bool check(int rc, const char *what, struct ib_error **err)
{
	if (rc == 0)
		return true;
	return ib_throw(err, IB_ERR_SYSTEM, "libwim cannot %s: %s", what, wimlib_get_error_string((enum wimlib_error_code)rc));
}

static bool set(WIMStruct *wim, int index, const char *property, const char *value, struct ib_error **err)
{
	return check(wimlib_set_image_property(wim, index, property, value), property, err);
}

static bool set_time(WIMStruct *wim, int index, const char *property, int64_t epoch, struct ib_error **err)
{
	uint64_t filetime = (uint64_t)(epoch + FILETIME_EPOCH) * 10000000u;
	g_autofree char *high = g_strdup_printf("%s/HIGHPART", property);
	g_autofree char *low = g_strdup_printf("%s/LOWPART", property);
	g_autofree char *high_value = g_strdup_printf("0x%08X", (unsigned)(filetime >> 32));
	g_autofree char *low_value = g_strdup_printf("0x%08X", (unsigned)(filetime & UINT32_MAX));

	return set(wim, index, high, high_value, err) && set(wim, index, low, low_value, err);
}

static bool describe(WIMStruct *wim, int index, const struct lab_wim_image *image, int64_t epoch, struct ib_error **err)
{
	g_autofree char *build = g_strdup_printf("%u", image->build);
	const char *const properties[][2] = {
		{ "WINDOWS/ARCH", "9" },
		{ "WINDOWS/PRODUCTNAME", "Microsoft\xc2\xae Windows\xc2\xae Operating System" },
		{ "WINDOWS/EDITIONID", image->edition },
		{ "WINDOWS/INSTALLATIONTYPE", image->product },
		{ "WINDOWS/PRODUCTTYPE", image->product_type },
		{ "WINDOWS/PRODUCTSUITE", "Terminal Server" },
		{ "WINDOWS/LANGUAGES/LANGUAGE", "en-US" },
		{ "WINDOWS/LANGUAGES/DEFAULT", "en-US" },
		{ "WINDOWS/VERSION/MAJOR", "10" },
		{ "WINDOWS/VERSION/MINOR", "0" },
		{ "WINDOWS/VERSION/BUILD", build },
		{ "WINDOWS/VERSION/SPBUILD", "1" },
		{ "WINDOWS/VERSION/SPLEVEL", "0" },
		{ "WINDOWS/VERSION/BRANCH", image->branch },
		{ "WINDOWS/SYSTEMROOT", "WINDOWS" },
		{ "DESCRIPTION", image->name },
		{ "FLAGS", image->edition },
		{ "DISPLAYNAME", image->display },
		{ "DISPLAYDESCRIPTION", image->display },
	};

	for (size_t i = 0; i < G_N_ELEMENTS(properties); i++)
		if (properties[i][1] && !set(wim, index, properties[i][0], properties[i][1], err))
			return false;
	return set_time(wim, index, "CREATIONTIME", epoch, err);
}

/* Writing new images stamps them with the machine's clock: a second pass, which changes only the XML, undoes it. */
static bool set_modified(const char *path, size_t count, int64_t epoch, struct ib_error **err)
{
	WIMStruct *wim = NULL;
	bool ok = check(wimlib_open_wim(path, WIMLIB_OPEN_FLAG_WRITE_ACCESS, &wim), "open its own WIM", err);

	for (size_t i = 0; i < count && ok; i++)
		ok = set_time(wim, (int)i + 1, "LASTMODIFICATIONTIME", epoch, err);
	ok = ok && check(wimlib_overwrite(wim, WIMLIB_WRITE_FLAG_RETAIN_GUID, 1), "write the times", err);
	wimlib_free(wim);
	return ok;
}

static bool set_guid(WIMStruct *wim, const char *name, uint32_t boot_index, struct ib_error **err)
{
	static const uint8_t space[16] = "imglab-wim--guid";
	struct wimlib_wim_info info = { .boot_index = boot_index };

	ib_uuid5(space, name, info.guid);
	return check(wimlib_set_wim_info(wim, &info, WIMLIB_CHANGE_GUID | WIMLIB_CHANGE_BOOT_INDEX), "set the GUID", err);
}

static bool fill(WIMStruct *wim, const struct lab_wim_image *images, size_t count, const char *name, int64_t epoch,
		 struct ib_error **err)
{
	uint32_t boot_index = 0;

	if (!check(wimlib_set_output_chunk_size(wim, CHUNK), "set the chunk size", err))
		return false;
	for (size_t i = 0; i < count; i++) {
		if (!check(wimlib_add_image(wim, images[i].volume, images[i].name, NULL, WIMLIB_ADD_FLAG_NTFS),
			   "capture the NTFS volume", err))
			return false;
		if (images[i].boots)
			boot_index = (uint32_t)i + 1;
	}
	for (size_t i = 0; i < count; i++)
		if (!describe(wim, (int)i + 1, &images[i], epoch, err))
			return false;
	return set_guid(wim, name, boot_index, err);
}

bool lab_wim_write(const char *path, const struct lab_wim_image *images, size_t count, const char *name, int64_t epoch,
		   struct ib_error **err)
{
	WIMStruct *wim = NULL;
	bool ok;

	if (!check(wimlib_set_default_compression_level(WIMLIB_COMPRESSION_TYPE_LZX, LEVEL), "set the level", err) ||
	    !check(wimlib_create_new_wim(WIMLIB_COMPRESSION_TYPE_LZX, &wim), "make a WIM", err))
		return false;
	ok = fill(wim, images, count, name, epoch, err) &&
	     check(wimlib_write(wim, path, WIMLIB_ALL_IMAGES, WIMLIB_WRITE_FLAG_RETAIN_GUID, 2), "write the WIM", err);
	wimlib_free(wim);
	ok = ok && set_modified(path, count, epoch, err);
	return ok || ib_while(err, "writing '%s'", path);
}

/* ---- of files ---- */

static bool set_times(const char *path, int64_t epoch, struct ib_error **err)
{
	const struct timespec times[2] = { { .tv_sec = epoch }, { .tv_sec = epoch } };

	if (utimensat(AT_FDCWD, path, times, 0) < 0)
		return ib_throw_errno(err, IB_ERR_SYSTEM, errno, "cannot set the time of '%s'", path);
	return true;
}

/* The files on disk: libwim takes them from nowhere else. */
static bool lay_out(const char *work, const GPtrArray *members, int64_t epoch, struct ib_error **err)
{
	if (!ib_dir_make(work, err))
		return false;
	for (guint i = 0; i < members->len; i++) {
		const struct lab_member *m = members->pdata[i];
		g_autofree char *path = g_build_filename(work, m->name, NULL);
		gsize size;
		const void *data = g_bytes_get_data(m->bytes, &size);

		if (!ib_file_write(path, data, size, err) || !set_times(path, epoch, err))
			return false;
	}
	return set_times(work, epoch, err);
}

bool lab_wim_of_files(const char *path, const char *work, const GPtrArray *members, int64_t epoch, struct ib_error **err)
{
	g_autofree char *name = g_path_get_basename(path);
	WIMStruct *wim = NULL;

	if (!lay_out(work, members, epoch, err) ||
	    !check(wimlib_create_new_wim(WIMLIB_COMPRESSION_TYPE_LZX, &wim), "make a WIM", err))
		return false;
	bool ok = check(wimlib_add_image(wim, work, name, NULL, WIMLIB_ADD_FLAG_NO_ACLS), "capture files", err) &&
		  set_time(wim, 1, "CREATIONTIME", epoch, err) && set_guid(wim, name, 0, err) &&
		  check(wimlib_write(wim, path, WIMLIB_ALL_IMAGES, WIMLIB_WRITE_FLAG_RETAIN_GUID, 1), "write the WIM", err);
	wimlib_free(wim);
	ok = ok && set_modified(path, 1, epoch, err);
	return ok || ib_while(err, "writing '%s'", path);
}
