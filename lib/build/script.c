#include "build/internal.h"

/*
 * Windows\Setup\Scripts\SetupComplete.cmd, which Setup runs once before the first logon. There is one such file, and
 * several who want it: the base image's own, the profile's [unattend] setup-complete, and ours. What lies there keeps
 * its bytes under another name, SetupComplete.<n>.cmd, and the new file calls it before anything else: in a shell of
 * its own, so that an `exit` in it ends nothing but itself. So the order is: base, profile, imgbuild.
 */

#define SETUP_FOLDER "Windows\\Setup\\Scripts"
/* More scripts than this were never put on top of each other. */
#define SCRIPTS_MAX 100u

/* The first name that is free. */
static bool free_name(struct ib_image *image, char **ret, struct ib_error **err)
{
	for (unsigned n = 1; n < SCRIPTS_MAX; n++) {
		g_autofree char *path = g_strdup_printf(SETUP_FOLDER "\\SetupComplete.%u.cmd", n);
		if (ib_image_find(image, path))
			continue;
		*ret = g_steal_pointer(&path);
		return true;
	}
	return ib_throw(err, IB_ERR_INPUT, "the image has %u scripts of Setup, no more are put on top", SCRIPTS_MAX);
}

static bool put_file(struct ib_wim *wim, struct ib_image *image, uint64_t time, const char *path, const char *text,
		     struct ib_error **err)
{
	struct ib_node *windows = ib_image_find(image, "Windows");
	struct ib_node_meta dir = { .attributes = IB_ATTR_DIRECTORY, .creation_time = time, .access_time = time,
				    .write_time = time };
	struct ib_node_meta meta = { .attributes = IB_ATTR_ARCHIVE, .creation_time = time, .access_time = time,
				     .write_time = time };
	g_autofree char *folder = g_strndup(path, (gsize)(strrchr(path, '\\') - path));
	uint8_t hash[IB_WIM_HASH_SIZE];

	if (windows)
		dir.security = meta.security = ib_node_security(image, windows);
	return ib_image_mkdir(image, folder, &dir, NULL, err) && ib_wim_add_bytes(wim, text, strlen(text), hash, err) &&
	       ib_image_put(image, path, hash, &meta, NULL, err);
}

bool script_put(struct ib_wim *wim, struct ib_image *image, uint64_t time, const char *title, const char *commands,
		struct ib_error **err)
{
	struct ib_node *node = ib_image_find(image, SETUP_SCRIPT);
	g_autoptr(GString) text = g_string_new("@echo off\r\n");
	g_autofree char *kept = NULL;

	g_string_append_printf(text, "rem %s\r\n", title);
	if (node) {
		if (!free_name(image, &kept, err) || !ib_image_rename(image, node, kept, err))
			return ib_while(err, "keeping '%s'", SETUP_SCRIPT);
		g_string_append_printf(text, "cmd /d /c call \"%%~dp0%s\"\r\n", kept + strlen(SETUP_FOLDER "\\"));
	}
	g_string_append_printf(text, "%sexit /b 0\r\n", commands);
	return put_file(wim, image, time, SETUP_SCRIPT, text->str, err) || ib_while(err, "writing '%s'", SETUP_SCRIPT);
}

bool script_put_as_it_is(struct ib_wim *wim, struct ib_image *image, uint64_t time, const char *text, struct ib_error **err)
{
	g_autofree char *path = NULL, *call = NULL;

	if (!free_name(image, &path, err) || !put_file(wim, image, time, path, text, err))
		return ib_while(err, "writing the profile's commands");
	call = g_strdup_printf("cmd /d /c call \"%%~dp0%s\"\r\n", path + strlen(SETUP_FOLDER "\\"));
	return script_put(wim, image, time, "commands of the profile", call, err);
}
