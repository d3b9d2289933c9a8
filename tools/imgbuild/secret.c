#include "imgbuild.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>

/* A secret in a file is one line; longer ones are no secrets. */
#define SECRET_MAX 4096

static bool from_file(const char *path, char **ret, struct ib_error **err)
{
	g_autoptr(GBytes) bytes = NULL;
	struct stat st;

	if (stat(path, &st) < 0)
		return ib_throw_errno(err, IB_ERR_INPUT, errno, "cannot read the secret in '%s'", path);
	if (st.st_mode & 077) {
		ib_throw(err, IB_ERR_INPUT, "the secret in '%s' can be read by others (mode %04o)", path, st.st_mode & 07777);
		return ib_hint(err, "chmod 0600 '%s'", path);
	}
	if (!ib_file_read(path, SECRET_MAX, &bytes, err))
		return false;
	char *text = g_strndup(g_bytes_get_data(bytes, NULL), g_bytes_get_size(bytes));
	text[strcspn(text, "\r\n")] = 0;
	*ret = text;
	return true;
}

bool secret_get(const char *reference, char **ret, void *data, struct ib_error **err)
{
	if (g_str_has_prefix(reference, "file:"))
		return from_file(reference + 5, ret, err);
	if (!g_str_has_prefix(reference, "env:"))
		return ib_throw(err, IB_ERR_INPUT, "'%s' is no secret reference", reference);
	const char *value = g_getenv(reference + 4);
	if (!value)
		return ib_throw(err, IB_ERR_INPUT, "the environment has no '%s'", reference + 4);
	*ret = g_strdup(value);
	return true;
}
