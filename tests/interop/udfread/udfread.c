/* For media.sh: the bytes of one file of a disc, read by libudfread. udfread ISO PATH >FILE */
#include <stdio.h>
#include <stdlib.h>

#include <udfread/udfread.h>

#define BUFFER (1u << 20)

int main(int argc, char **argv)
{
	udfread *udf = argc == 3 ? udfread_init() : NULL;
	UDFFILE *file = udf && udfread_open(udf, argv[1]) == 0 ? udfread_file_open(udf, argv[2]) : NULL;
	char *buf = malloc(BUFFER);
	ssize_t n = -1;

	while (file && buf && (n = udfread_file_read(file, buf, BUFFER)) > 0)
		if (fwrite(buf, 1, (size_t)n, stdout) != (size_t)n)
			return 1;
	free(buf);
	udfread_file_close(file);
	udfread_close(udf);
	return n == 0 && fflush(stdout) == 0 ? 0 : 1;
}
