"""What runs, seen from outside: metrics, traces, health and logs. No more than these modules knows their libraries."""
