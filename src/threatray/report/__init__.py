"""One self-contained HTML page that says whether synthesis helped, and shows everything behind it; starts without torch."""
