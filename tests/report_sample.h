/* Reports for tests: "full" (the bank's case), "empty-server", "bare" (nothing provided), "hostile". */
#ifndef IB_TESTS_REPORT_SAMPLE_H
#define IB_TESTS_REPORT_SAMPLE_H

#include <string.h>

#include "report/report.h"

#define SAMPLE_SHA "3f0a8c51d2e94b7760a1c3e5f7092b4d6e8fa0b1c2d3e4f5061728394a5b6c7d"
#define SAMPLE_BASE_SHA "91b2c3d4e5f60718293a4b5c6d7e8f90a1b2c3d4e5f60718293a4b5c6d7e8f90"

/* A list over static items, which lives in keep. */
static inline GPtrArray *sample_list(GPtrArray *keep, const struct ib_report_item *items, size_t n)
{
	GPtrArray *list = g_ptr_array_new();

	for (size_t i = 0; i < n; i++)
		g_ptr_array_add(list, (void *)&items[i]);
	g_ptr_array_add(keep, list);
	return list;
}
#define SAMPLE(keep, ...)                                                                                    \
	({                                                                                                   \
		static const struct ib_report_item sample_items[] = { __VA_ARGS__ };                         \
		sample_list(keep, sample_items, G_N_ELEMENTS(sample_items));                                 \
	})

static inline void sample_full(GPtrArray *keep, struct ib_report *r)
{
	*r = (struct ib_report){
		.size = sizeof *r, .image_name = "ICBC V2020-L 9B", .customer = "ICBC", .release = "2021-09B",
		.version = "2020.1.2109.21", .product = "V2020-L", .edition = "EnterpriseG",
		.windows_version = "10.0.17763.2183", .stream = "icbc-l", .date = "2021-09-29",
		.request_case = "CAS-00000-EXAMPLE",
		.asked_for = "September 2021 cumulative update preinstalled; CmitUpdateAgent removed",
		.requested = "2021-09-14", .promised = "2021-09-27", .scenario = "upgrade, fresh",
		.base_name = "CMGE_V2020-L.iso", .base_sha256 = SAMPLE_BASE_SHA, .base_bytes = 4893267968u,
		.iso_name = "CMGE_V2020L_9B.iso", .iso_sha256 = SAMPLE_SHA, .iso_bytes = 5502926848u,
		.update_server = "http://ue.example:8530", .offers_two = 0, .loops = 0, .clients = 96, .scans = 1536,
		.legal_name = "CMGE", .hotline = "see the support agreement",
		.support_scope = "problems are reproduced on the standard image first", .devices = "180000",
		.branches = "37", .days = "75", .line_mbit = "20", .patch_days = "30", .clock = "first-report",
		.publish_url = "sftp://ICBC:secret@ocean.example:22222/upload/V2020-l_9B", .verified = true,
		.verify_summary = "41877",
	};
	r->updates = SAMPLE(keep,
		{ "KB5005112", "Package_for_ServicingStack_2170~31bf3856ad364e35~amd64~~17763.2170.1.0; Lab Update Signing", "Security Update" },
		{ "KB5005568", "Package_for_RollupFix~31bf3856ad364e35~amd64~~17763.2183.1.6; Lab Update Signing", "Security Update" });
	r->skipped = SAMPLE(keep, { "KB5005539", "it is for product build 18362, the image has 17763", NULL });
	r->removed = SAMPLE(keep, { "CmitUpdateAgent", "1 / 14 / 1 / 1 / 27",
		"leaves the update server at 127.0.0.1 on new machines until group policy applies" });
	r->features = SAMPLE(keep, { "SMB1Protocol", "off", "not needed by this customer" });
	r->changes = SAMPLE(keep, { "Imglab.Music", "app", "not for clients of a bank" }, { "Program Files\\Lab", "files", NULL },
		{ "settings.reg", "registry", NULL }, { "Windows\\Panther\\unattend.xml", "unattend", NULL });
	r->notes = SAMPLE(keep,
		{ "amd64_lab-wmi-provider_31bf3856ad364e35_10.0.17763.2183_none_1f2e3d4c5b6a7980", "mof: its WMI classes are compiled at the first start only", "mof" },
		{ "\\CMIT\\Telemetry\\Daily", "the task's file is in place; the scheduler learns of it at the first start", "first-boot-task" },
		{ "amd64_lab-other", "a sentence of a kind nobody foresaw", "brand-new" });
	r->risks_en = SAMPLE(keep, { "CmitUpdateAgent", "Nothing sets the update server's address any more: clients find updates only where group policy or the address stated in this paper points them.", NULL });
	r->risks_zh = SAMPLE(keep, { "CmitUpdateAgent", "不再有组件设置更新服务器地址：客户端只能通过组策略或本文所述地址获取更新。", NULL });
	r->unknown_en = SAMPLE(keep, { "CmitUpdateAgent", "Whether an in-place upgrade carries the old agent over was not tested on Windows; a step after Setup removes it if it is found.", NULL });
	r->unknown_zh = SAMPLE(keep, { "CmitUpdateAgent", "就地升级是否会带回旧代理未在 Windows 上测试；安装完成后的步骤会在发现时将其删除。", NULL });
	r->superseded = SAMPLE(keep,
		{ "cd93fe8e-0a1b-5c2d-8e3f-112233445566 CMGE V2020-L 2020.1.1812.21", NULL, NULL },
		{ "0b456b69-1c2d-5e3f-9a4b-66778899aabb ICBC V2020-L 4C 2020.1.2104.31", NULL, NULL });
	r->upgrade_from = SAMPLE(keep, { "V0-H", NULL, NULL });
	r->approvals = SAMPLE(keep, { "technical", "required", NULL }, { "security", "required", NULL }, { "customer", "required", NULL });
}

/* The case gone wrong: components removed, no update server named, the check did not pass. */
static inline void sample_empty_server(GPtrArray *keep, struct ib_report *r)
{
	sample_full(keep, r);
	r->update_server = NULL;
	r->verified = false;
	r->line_mbit = "20 or so";
	r->days = "20";
}

#define EVIL "</td><script>alert(1)</script>&amp;\"'\xE2\x80\xAE{version}"

static inline void sample_hostile(GPtrArray *keep, struct ib_report *r)
{
	sample_full(keep, r);
	r->image_name = r->customer = r->request_case = r->asked_for = r->legal_name = r->hotline = EVIL;
	r->update_server = r->publish_url = r->edition = r->iso_name = r->clock = r->devices = EVIL;
	r->version = "1\"; } body { display: none } </style><script>alert(2)</script>";
	r->updates = SAMPLE(keep, { EVIL, EVIL "; " EVIL, EVIL });
	r->removed = SAMPLE(keep, { EVIL, EVIL, EVIL });
	r->features = SAMPLE(keep, { EVIL, EVIL, EVIL });
	r->changes = SAMPLE(keep, { EVIL, EVIL, EVIL });
	r->notes = SAMPLE(keep, { EVIL, EVIL, EVIL });
	r->risks_en = SAMPLE(keep, { "only English", EVIL, NULL });
	r->superseded = SAMPLE(keep, { EVIL, NULL, NULL });
	r->tests = SAMPLE(keep, { EVIL, EVIL, NULL });
	r->approvals = SAMPLE(keep, { EVIL, "required", NULL });
}

/* Fill a report; the lists live as long as keep. @return false: the kind is not known */
static inline bool report_sample(const char *kind, GPtrArray *keep, struct ib_report *r)
{
	*r = (struct ib_report){ .size = sizeof *r };
	if (strcmp(kind, "full") == 0)
		sample_full(keep, r);
	else if (strcmp(kind, "hostile") == 0)
		sample_hostile(keep, r);
	else if (strcmp(kind, "empty-server") == 0)
		sample_empty_server(keep, r);
	else
		return strcmp(kind, "bare") == 0;
	return true;
}

#endif
