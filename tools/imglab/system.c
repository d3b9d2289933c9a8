#include "system.h"

#include <glib.h>

const struct lab_system lab_system_client = {
	.word = "client-2019",
	.build = 17763,
	.branch = "rs5_release",
	.lab = "180914-1434",
	.release_id = "1809",
	.installation = "Client",
	.product_type = "WinNT",
	.rules = "v2.28",
	.label = "CMGE_V2020_L",
	.released = 1536969600, /* 2018-09-15 00:00 UTC */
	.editions = { { "CMGE V2020-L", "Windows 10 Enterprise G", "EnterpriseG" },
		      { "Windows 10 Enterprise", "Windows 10 Enterprise", "Enterprise" } },
};

static const struct lab_rename server_names[] = {
	{ "Microsoft-Windows-EnterpriseGEdition", "Microsoft-Windows-ServerStandardEdition", "Windows Server 2022 Standard" },
	{ "Microsoft-Windows-EnterpriseEdition", "Microsoft-Windows-ServerDatacenterEdition",
	  "Windows Server 2022 Datacenter" },
	{ "Microsoft-Windows-Client-Features-Package", "Microsoft-Windows-Server-Features-Package", "Windows server features" },
	{ "Microsoft-Windows-Client-Features-WOW64-Package", "Microsoft-Windows-Server-Features-WOW64-Package",
	  "32-bit server features" },
	{ "Microsoft-Windows-Client-LanguagePack-Package", "Microsoft-Windows-Server-LanguagePack-Package", NULL },
	{ "CMIT-UpdateAgent-Package", NULL, NULL },
	{ NULL, NULL, NULL },
};

static const struct lab_system server_2022 = {
	.word = "server-2022",
	.build = 20348,
	.branch = "fe_release",
	.lab = "210507-1500",
	.release_id = "2009",
	.installation = "Server",
	.product_type = "ServerNT",
	.rules = "v2.31",
	.label = "LAB_SERVER_2022",
	.released = 1620399600, /* 2021-05-07 15:00 UTC */
	.editions = { { "Windows Server 2022 Standard", "Windows Server 2022 Standard", "ServerStandard" },
		      { "Windows Server 2022 Datacenter", "Windows Server 2022 Datacenter", "ServerDatacenter" } },
	.renames = server_names,
};

static const struct lab_system *const systems[] = { &lab_system_client, &server_2022 };

const struct lab_system *lab_system_find(const char *word)
{
	for (size_t i = 0; i < G_N_ELEMENTS(systems); i++)
		if (g_str_equal(systems[i]->word, word))
			return systems[i];
	return NULL;
}

const char *lab_system_package(const struct lab_system *s, const char *name, const char **ret_display)
{
	for (const struct lab_rename *r = s->renames; r && r->from; r++) {
		if (!g_str_equal(r->from, name))
			continue;
		if (ret_display && r->display)
			*ret_display = r->display;
		return r->to;
	}
	return name;
}
