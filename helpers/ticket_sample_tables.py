"""What the generated log is drawn from: shares and quantiles measured on the published log, and weights fitted to it.

No row of that log is copied. Times are whole minutes since `START`.
"""

import numpy as np

CHUNK = 5_000  # incidents drawn together; another value makes another log
FIRST_NUMBER = 45
START = np.datetime64("2016-02-29", "m")
DAY = 24 * 60
N_DAYS, LAST_CLOSED = 354, 355 * DAY + 15 * 60  # days with arrivals, to 2017-02-16; 2017-02-18 15:00

# Arrivals: shares of the months from February 2016, of the weekdays, and of the hours (per thousand).
MONTHS = (0.0083, 0.361, 0.3184, 0.3013, 0.0002, 0.0006, 0.0006, 0.0005, 0.0006, 0.001, 0.0015, 0.0038, 0.0022)
WEEKDAYS = (0.239, 0.199, 0.196, 0.165, 0.154, 0.025, 0.022)
HOURS = (11, 9, 6, 5, 5, 5, 13, 23, 102, 121, 116, 99, 54, 66, 91, 86, 75, 43, 19, 12, 9, 14, 10, 6)
EARLY = 12 * DAY  # only tickets of the first days are marked as knowledge; they also took more work

# The hourly job closes what was resolved five days ago; from 11 to 24 March 2016 it stood still.
CLOSED_AFTER, JOB_MINUTE, STOPPED, RESUMED = 5 * DAY, 7, 11 * DAY, 24 * DAY + 18 * 60 + 40
BY_HAND, KEPT_OPEN, KEPT_OPEN_FOR = 0.009, 0.006, 27 * DAY  # shares of tickets that escape the job, and a mean time
SLA = 9 * DAY + 12 * 60  # a ticket open for longer is marked as late when it closes

# Quantiles of an incident: (cumulative shares, values).
# fmt: off
EVENTS = (
    (0, 0.0725, 0.3302, 0.4965, 0.6175, 0.7064, 0.7791, 0.8326, 0.8768, 0.9075, 0.9314, 0.9491, 0.9608, 0.9697,
     0.9767, 0.9816, 0.9858, 0.9888, 0.9915, 0.9931, 0.9974, 0.9990, 0.9997, 1),
    (*range(1, 21), 25, 31, 38, 58),
)
# fmt: on
HOURS_TO_RESOLVE = (
    (0, 0.06, 0.12, 0.2, 0.3, 0.35, 0.4, 0.45, 0.5, 0.6, 0.7, 0.75, 0.8, 0.9, 0.95, 0.98, 0.99, 0.995, 0.999, 1),
    (0, 0, 0.07, 0.17, 0.43, 0.83, 1.9, 4.5, 15, 42, 95, 141, 185, 361, 674, 1589, 2760, 4093, 5980, 8070),
)
MINUTES_TO_CREATE = ((0, 0.1, 0.25, 0.5, 0.75, 0.9, 0.99, 1), (0, 1, 3, 5, 11, 20, 65, 600))
MOD_STEPS = ((0.84, 0.93, 0.962, 0.974, 0.981, 0.987, 0.992, 0.996, 0.999, 1), (1, 2, 3, 4, 5, 7, 10, 15, 28, 50))

WAITS = ("Awaiting User Info", "Awaiting Vendor", "Awaiting Problem", "Awaiting Evidence")
STATES = ("New", "Active", *WAITS, "-100", "Resolved", "Closed")
NEW, ACTIVE, USER, VENDOR, ODD, RESOLVED, CLOSED = 0, 1, 2, 3, 6, 7, 8
WAIT_SHARES = (0.925, 0.97, 0.998, 1)  # cumulative
# By number of events, the last entry standing for all larger ones.
NEW_FIRST = np.array((0, 0, 0, 0.483, 0.688, 0.80, 0.83))
NO_CREATOR = np.array((0, 0, 0.85, 0.735, 0.42, 0.30, 0.28, 0.265))
EVER_WAITS = np.array((0, 0, 0, 0.01, 0.086, 0.193, 0.287, 0.432, 0.505, 0.576, 0.635, 0.66))

LEVELS = ("1 - High", "2 - Medium", "3 - Low")
PRIORITIES = ("1 - Critical", "2 - High", "3 - Moderate", "4 - Low")
# Impact and urgency (places in LEVELS), priority (place in PRIORITIES); CELL_SHARES are those of first events.
CELLS = np.array(((0, 0, 0), (0, 1, 1), (1, 0, 1), (1, 1, 2), (2, 0, 2), (1, 2, 3), (2, 1, 3), (2, 2, 3)))
CELL_SHARES = (0.0074, 0.0041, 0.0084, 0.9502, 0.0002, 0.0006, 0.0026, 0.0265)
ESCALATED = 0.0054  # share of tickets that become critical underway, and as many high

# Text of a label, number of labels, share of the commonest, Zipf exponent of the others, share of events without one.
LABELS = {
    "caller_id": ("Caller {}", 5245, 0.018, 0.6, 0.0002),
    "opened_by": ("Opened by  {}", 207, 0.298, 1.2, 0.0341),
    "sys_created_by": ("Created by {}", 185, 0.253, 1.1, 0),
    "sys_updated_by": ("Updated by {}", 845, 0.04, 0.8, 0),
    "location": ("Location {}", 224, 0.223, 1.5, 0.0005),
    "category": ("Category {}", 58, 0.143, 1.2, 0.0006),
    "subcategory": ("Subcategory {}", 254, 0.262, 1.1, 0.0008),
    "u_symptom": ("Symptom {}", 525, 0.485, 1.0, 0.2326),
    "cmdb_ci": ("cmdb_ci {}", 50, 0.056, 0.4, 0.9961),
    "assignment_group": ("Group {}", 78, 0.415, 0.9, 0),
    "assigned_to": ("Resolver {}", 234, 0.123, 0.7, 0),
    "problem_id": ("Problem ID  {}", 252, 0.084, 0.7, 0.9800),
    "rfc": ("CHG{:07d}", 181, 0.011, 0.3, 0.9913),
    "vendor": ("Vendor {}", 4, 0.6, 1.0, 0.9978),
    "caused_by": ("CHG{:07d}", 3, 0.4, 0.5, 0.9998),
    "closed_code": ("code {}", 17, 0.6, 1.9, 0.0050),
    "resolved_by": ("Resolved by {}", 216, 0.123, 0.7, 0.0016),
}
CONTACTS = (("Phone", "Self service", "Email", "IVR", "Direct opening"), (0.9912, 0.9979, 0.9996, 0.9998, 1))

COLUMN_ORDER = (
    *("number", "incident_state", "active", "reassignment_count", "reopen_count", "sys_mod_count", "made_sla"),
    *("caller_id", "opened_by", "opened_at", "sys_created_by", "sys_created_at", "sys_updated_by", "sys_updated_at"),
    *("contact_type", "location", "category", "subcategory", "u_symptom", "cmdb_ci", "impact", "urgency", "priority"),
    *("assignment_group", "assigned_to", "knowledge", "u_priority_confirmation", "notify", "problem_id", "rfc"),
    *("vendor", "caused_by", "closed_code", "resolved_by", "resolved_at", "closed_at"),
)
