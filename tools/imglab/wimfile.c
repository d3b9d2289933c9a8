/* Capture by libwim, with everything it would take from clock or chance set by hand. */
#include <string.h>

#include <wimlib.h>

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
	const char *const properties[][2] = {
		{ "WINDOWS/ARCH", "9" },
		{ "WINDOWS/PRODUCTNAME", "Microsoft\xc2\xae Windows\xc2\xae Operating System" },
		{ "WINDOWS/EDITIONID", image->edition },
		{ "WINDOWS/INSTALLATIONTYPE", image->product },
		{ "WINDOWS/PRODUCTTYPE", "WinNT" },
		{ "WINDOWS/PRODUCTSUITE", "Terminal Server" },
		{ "WINDOWS/LANGUAGES/LANGUAGE", "en-US" },
		{ "WINDOWS/LANGUAGES/DEFAULT", "en-US" },
		{ "WINDOWS/VERSION/MAJOR", "10" },
		{ "WINDOWS/VERSION/MINOR", "0" },
		{ "WINDOWS/VERSION/BUILD", "17763" },
		{ "WINDOWS/VERSION/SPBUILD", "1" },
		{ "WINDOWS/VERSION/SPLEVEL", "0" },
		{ "WINDOWS/VERSION/BRANCH", "rs5_release" },
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

static bool fill(WIMStruct *wim, const struct lab_wim_image *images, size_t count, const char *name, int64_t epoch,
		 struct ib_error **err)
{
	static const uint8_t space[16] = "imglab-wim--guid";
	struct wimlib_wim_info info = { 0 };

	if (!check(wimlib_set_output_chunk_size(wim, CHUNK), "set the chunk size", err))
		return false;
	for (size_t i = 0; i < count; i++) {
		if (!check(wimlib_add_image(wim, images[i].volume, images[i].name, NULL, WIMLIB_ADD_FLAG_NTFS),
			   "capture the NTFS volume", err))
			return false;
		if (images[i].boots)
			info.boot_index = (uint32_t)i + 1;
	}
	for (size_t i = 0; i < count; i++)
		if (!describe(wim, (int)i + 1, &images[i], epoch, err))
			return false;
	ib_uuid5(space, name, info.guid);
	return check(wimlib_set_wim_info(wim, &info, WIMLIB_CHANGE_GUID | WIMLIB_CHANGE_BOOT_INDEX), "set the GUID", err);
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
