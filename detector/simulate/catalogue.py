"""The roles of a simulated fleet: who does what with which tools, and how often."""

from __future__ import annotations

from detector.simulate.roles import Role, Task, Tool

_MAIL = Tool("send_email", "message", "contact", ("subject", "body_chars"), 900, 40, 320)
_DOCS = Tool("search_docs", "data_access", "", ("query", "limit"), 90, 3800, 240)
_DOC = Tool("read_doc", "data_access", "article", ("section",), 60, 5200, 130)
_ASK = Tool("ask_agent", "message", "peer", ("question",), 340, 900, 2100)
_POST = Tool("post_message", "message", "channel", ("text",), 260, 30, 140)
_HTTP = Tool("http_request", "network", "api", ("method", "url"), 420, 2600, 380)
_BROWSE = Tool("browse", "network", "site", ("url",), 110, 18000, 900)
_NOTE = Tool("save_note", "memory", "", ("topic", "chars"), 400, 20, 40)
_RECALL = Tool("recall", "memory", "", ("topic",), 40, 700, 35)
_SUMMARY = Tool("summarise", "tool_call", "", ("style", "chars"), 2400, 800, 700)

# fmt: off - a table: one line a tool
ROLES: tuple[Role, ...] = (
    Role(
        "support",
        0.24,
        "office",
        (
            Tool("read_ticket", "data_access", "ticket", ("fields",), 70, 2600, 120),
            Tool("lookup_customer", "data_access", "customer", ("fields",), 60, 1400, 90),
            Tool("list_orders", "data_access", "customer", ("limit", "status"), 80, 4200, 160),
            Tool("refund_order", "tool_call", "order", ("amount", "reason"), 160, 120, 480),
            Tool("reply_ticket", "message", "ticket", ("template", "body_chars"), 1100, 60, 210),
            Tool("close_ticket", "tool_call", "ticket", ("status",), 80, 40, 110),
            _DOCS,
            _DOC,
            _MAIL,
            _ASK,
            _HTTP,
            _SUMMARY,
        ),
        (
            Task(7, ("read_ticket", "lookup_customer", "search_docs?", "read_doc?", "reply_ticket", "close_ticket")),
            Task(4, ("read_ticket", "lookup_customer", "list_orders", "refund_order", "reply_ticket", "close_ticket")),
            Task(3, ("read_ticket", "search_docs+", "read_doc+", "ask_agent?", "reply_ticket")),
            Task(2, ("read_ticket", "list_orders", "http_request", "send_email", "close_ticket?")),
        ),
    ),
    Role(
        "coder",
        0.16,
        "office",
        (
            Tool("read_file", "data_access", "file", ("lines",), 70, 6400, 30),
            Tool("search_code", "data_access", "repo", ("query", "limit"), 90, 5200, 260),
            Tool("edit_file", "tool_call", "file", ("lines", "chars"), 1900, 60, 45),
            Tool("run_tests", "tool_call", "repo", ("suite", "timeout_s"), 120, 7400, 21000),
            Tool("git_commit", "tool_call", "repo", ("branch", "text"), 220, 90, 310),
            Tool("open_pull_request", "tool_call", "repo", ("branch", "subject"), 900, 240, 820),
            Tool("install_package", "network", "registry", ("package",), 80, 900, 5400),
            _BROWSE,
            _DOCS,
            _POST,
            _NOTE,
            _HTTP,
            Tool("review_diff", "data_access", "repo", ("branch",), 90, 9800, 420),
        ),
        (
            Task(6, ("search_code", "read_file+", "edit_file+", "run_tests", "git_commit", "open_pull_request?")),
            Task(4, ("read_file+", "run_tests", "edit_file", "run_tests", "git_commit")),
            Task(2, ("browse", "read_file+", "install_package", "edit_file", "run_tests")),
            Task(2, ("search_code+", "read_file+", "post_message", "save_note?", "http_request~")),
        ),
    ),
    Role(
        "researcher",
        0.10,
        "office",
        (
            Tool("web_search", "network", "engine", ("query", "limit"), 90, 8200, 700),
            _BROWSE,
            _DOCS,
            _DOC,
            _NOTE,
            _RECALL,
            _MAIL,
            _ASK,
            Tool("download_paper", "network", "site", ("url", "pages"), 120, 240000, 2600),
            Tool("write_report", "tool_call", "report", ("style", "chars"), 7200, 60, 260),
            _SUMMARY,
        ),
        (
            Task(6, ("web_search", "browse+", "save_note", "browse+", "write_report")),
            Task(3, ("recall", "web_search+", "download_paper+", "summarise", "save_note")),
            Task(2, ("search_docs", "read_doc+", "ask_agent?", "write_report", "send_email?")),
        ),
    ),
    Role(
        "finance",
        0.09,
        "office",
        (
            Tool("read_invoice", "data_access", "invoice", ("fields",), 70, 3100, 140),
            Tool("match_order", "data_access", "order", ("fields",), 80, 1200, 170),
            Tool("lookup_vendor", "data_access", "vendor", ("fields",), 60, 900, 90),
            Tool("schedule_payment", "tool_call", "vendor", ("amount", "currency"), 240, 120, 640),
            Tool("post_ledger", "tool_call", "ledger", ("amount", "account"), 210, 60, 180),
            Tool("export_statement", "data_access", "ledger", ("period",), 90, 42000, 1400),
            _MAIL,
            _ASK,
            _DOCS,
            _HTTP,
            _SUMMARY,
        ),
        (
            Task(6, ("read_invoice", "match_order", "lookup_vendor", "schedule_payment", "post_ledger")),
            Task(3, ("read_invoice+", "match_order+", "send_email", "post_ledger?")),
            Task(2, ("export_statement", "summarise", "send_email")),
            Task(2, ("read_invoice", "lookup_vendor", "http_request", "ask_agent?", "post_ledger")),
        ),
    ),
    Role(
        "ops",
        0.12,
        "always",
        (
            Tool("query_metrics", "data_access", "service", ("query", "minutes"), 140, 9200, 420),
            Tool("read_logs", "data_access", "service", ("query", "limit"), 130, 28000, 760),
            Tool("describe_service", "data_access", "service", ("fields",), 70, 2200, 130),
            Tool("restart_service", "tool_call", "service", ("reason",), 110, 60, 3400),
            Tool("scale_service", "tool_call", "service", ("replicas", "reason"), 120, 60, 1900),
            Tool("read_secret", "auth", "secret", ("ttl_s",), 60, 220, 60),
            Tool("connect", "network", "service", ("port",), 200, 1400, 90),
            _POST,
            _ASK,
            _RECALL,
            _HTTP,
            Tool("rollback", "tool_call", "service", ("release", "reason"), 140, 90, 5200),
        ),
        (
            Task(6, ("query_metrics", "read_logs+", "describe_service", "post_message")),
            Task(4, ("query_metrics+", "describe_service", "restart_service", "query_metrics", "post_message")),
            Task(2, ("describe_service", "read_secret", "connect", "scale_service", "query_metrics")),
            Task(2, ("read_logs+", "recall", "ask_agent", "http_request?", "post_message")),
        ),
    ),
    Role(
        "data-analyst",
        0.10,
        "office",
        (
            Tool("list_tables", "data_access", "schema", ("limit",), 60, 2400, 180),
            Tool("run_query", "data_access", "table", ("sql", "rows"), 380, 22000, 1900),
            Tool("describe_table", "data_access", "table", ("fields",), 60, 1500, 110),
            Tool("write_table", "tool_call", "table", ("rows", "reason"), 260, 80, 2400),
            Tool("plot", "tool_call", "report", ("style", "pixels"), 900, 52000, 620),
            Tool("upload_report", "tool_call", "bucket", ("format", "chars"), 24000, 90, 540),
            _DOCS,
            _MAIL,
            _POST,
            _NOTE,
            _HTTP,
            _SUMMARY,
        ),
        (
            Task(6, ("list_tables?", "describe_table", "run_query+", "plot", "upload_report")),
            Task(4, ("run_query+", "summarise", "send_email")),
            Task(2, ("describe_table+", "run_query+", "write_table", "post_message")),
            Task(1, ("search_docs", "run_query", "http_request", "save_note", "upload_report?")),
        ),
    ),
    Role(
        "shopper",
        0.07,
        "always",
        (
            Tool("search_products", "network", "shop", ("query", "limit"), 110, 14000, 620),
            Tool("view_product", "network", "shop", ("sku",), 80, 6200, 310),
            Tool("add_to_cart", "tool_call", "shop", ("sku", "quantity"), 110, 220, 260),
            Tool("checkout", "tool_call", "shop", ("amount", "currency"), 420, 480, 1400),
            Tool("read_wishlist", "data_access", "customer", ("limit",), 60, 1900, 90),
            _MAIL,
            _NOTE,
            _RECALL,
            _BROWSE,
            Tool("track_parcel", "network", "shop", ("sku",), 90, 900, 340),
        ),
        (
            Task(6, ("read_wishlist?", "search_products+", "view_product+", "add_to_cart", "checkout?")),
            Task(3, ("recall", "search_products+", "view_product+", "browse?", "save_note")),
            Task(1, ("read_wishlist", "view_product", "add_to_cart", "checkout", "send_email")),
        ),
    ),
    Role(
        "hr",
        0.05,
        "office",
        (
            Tool("read_employee", "data_access", "employee", ("fields",), 60, 1700, 100),
            Tool("search_candidates", "data_access", "", ("query", "limit"), 120, 9100, 420),
            Tool("read_cv", "data_access", "document", ("pages",), 70, 16000, 210),
            Tool("schedule_interview", "tool_call", "contact", ("minutes", "subject"), 210, 140, 360),
            Tool("update_record", "tool_call", "employee", ("field", "reason"), 140, 60, 150),
            _MAIL,
            _DOCS,
            _DOC,
            _ASK,
            _POST,
            _SUMMARY,
        ),
        (
            Task(5, ("search_candidates", "read_cv+", "summarise", "schedule_interview?", "send_email")),
            Task(4, ("read_employee", "read_doc?", "update_record", "send_email?")),
            Task(2, ("read_employee+", "search_docs", "ask_agent?", "post_message")),
        ),
    ),
    Role(
        "sales",
        0.04,
        "office",
        (
            Tool("lookup_account", "data_access", "customer", ("fields",), 60, 2100, 110),
            Tool("read_thread", "data_access", "contact", ("limit",), 60, 7400, 190),
            Tool("update_crm", "tool_call", "customer", ("status", "text"), 320, 60, 160),
            Tool("draft_quote", "tool_call", "report", ("amount", "currency"), 1400, 3100, 540),
            _MAIL,
            _BROWSE,
            _DOCS,
            _ASK,
            _NOTE,
            _SUMMARY,
        ),
        (
            Task(5, ("lookup_account", "read_thread", "draft_quote?", "send_email", "update_crm")),
            Task(3, ("browse+", "lookup_account", "save_note", "update_crm")),
            Task(1, ("lookup_account+", "summarise", "send_email")),
        ),
    ),
    Role(
        "triage",
        0.03,
        "always",
        (
            Tool("read_alert", "data_access", "alert", ("fields",), 70, 3600, 110),
            Tool("query_siem", "data_access", "schema", ("query", "minutes"), 220, 31000, 2300),
            Tool("lookup_host", "data_access", "service", ("fields",), 60, 1200, 120),
            Tool("lookup_user", "data_access", "employee", ("fields",), 60, 900, 90),
            Tool("close_alert", "tool_call", "alert", ("status", "reason"), 140, 40, 130),
            _ASK,
            _POST,
            _DOC,
            _RECALL,
            _NOTE,
            _HTTP,
        ),
        (
            Task(6, ("read_alert", "query_siem+", "lookup_host", "lookup_user?", "close_alert")),
            Task(2, ("read_alert", "recall", "query_siem+", "http_request", "ask_agent?", "post_message")),
            Task(2, ("read_alert+", "lookup_host+", "close_alert")),
        ),
    ),
)
# fmt: on
"""The roles of a simulated fleet; shares sum to one."""
