/* Replays a corpus through a fuzz target without libFuzzer: each argument is a file or a folder. */
#include <stdint.h>
#include <stdio.h>

#include <glib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static unsigned replay(const char *path)
{
	if (g_file_test(path, G_FILE_TEST_IS_DIR)) {
		g_autoptr(GDir) d = g_dir_open(path, 0, NULL);
		const char *name;
		unsigned n = 0;
		while (d && (name = g_dir_read_name(d))) {
			g_autofree char *sub = g_build_filename(path, name, NULL);
			n += replay(sub);
		}
		return n;
	}
	g_autofree char *data = NULL;
	gsize len;
	if (!g_file_get_contents(path, &data, &len, NULL))
		return 0;
	LLVMFuzzerTestOneInput((const uint8_t *)data, len);
	return 1;
}

int main(int argc, char **argv)
{
	unsigned n = 0;

	for (int i = 1; i < argc; i++)
		n += replay(argv[i]);
	printf("%u inputs replayed\n", n);
	return n > 0 ? 0 : 1; /* an empty corpus proves nothing */
}
