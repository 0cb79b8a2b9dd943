"""Sentences any article may carry: background, quotations, asides with names and figures that no title needs."""

from __future__ import annotations

QUOTES: tuple[str, ...] = (
    "We wanted something that is {quality} for {users}",
    "This is a big step for {users}",
    "People told us that {topic2} was simply too slow",
    "We spent {n} months listening to {users}",
    "Our goal is to make the work of {users} {quality}",
    "There is still a lot of work to do",
    "I have not seen anything like it in {n} years",
    "Everyone in {city} has been talking about this for weeks",
    "Nobody should have to wait {n} days for an answer",
)
SPEAKERS: tuple[str, ...] = (
    "said {person}, who leads the project",
    "said {person}, who has followed the field for {n} years",
    "{person} told reporters in {city}",
    "said {person} on {day}",
)
BACKGROUND: tuple[str, ...] = (
    "The field has changed a lot since the first systems appeared {n} years ago. Most of the early tools were built for"
    " experts, and {users} often found them hard to use.",
    "Until now, {users} had to rely on manual work or on tools from {company2}. That made projects slow and costly.",
    "Work in this area started at several places at once. {company2} showed a first version in {month}, followed by"
    " {company3} a few weeks later.",
    "Demand is rising among {users}. A survey by {company2} found that {n} percent of them plan to"
    " spend more next year.",
    "Many {users} remain unsure about the technology. Cost, privacy and quality are the concerns named most often.",
    "Only {n} months ago, few people outside the industry had heard of such systems. Today {users} talk"
    " about them daily.",
)
ASIDES: tuple[str, ...] = (
    "Analysts expect competition in this area to grow over the next {n} months.",
    "The news was first reported on {day} in {city}.",
    "Pricing details were not disclosed.",
    "Rivals such as {company2} and {company3} are working on similar projects.",
    "{company2} declined to comment.",
    "The team now has {n} members and an office in {city}.",
    "Interest in {topic2} has grown quickly as well.",
    "Several customers, including {company2}, took part in an early trial.",
    "A longer report is planned for {month}.",
    "The work builds on an earlier project from {month}.",
    "Observers said that the claims still need to be checked by outside groups.",
    "Last year {company2} presented a similar idea called {product2}, but it never left the pilot phase.",
    "The market for {topic2} is crowded, with {company2} and {company3} among the larger players.",
    "Users on public forums reacted with a mix of excitement and caution.",
    "{person2}, a consultant based in {city}, called the step overdue.",
    "For {users2}, the change may take some time to notice.",
    "Critics point out that earlier systems such as {product2} struggled with rare cases.",
    "It remains to be seen how the approach holds up in daily use.",
    "Energy use was not part of the report.",
    "The same group worked on {topic2} until {month}.",
    "Support is offered in {n} languages.",
    "Around {n} people were involved in the project.",
    "A spokesperson for {company2} said that the company welcomes the news.",
    "In {region2}, {users2} have asked for clearer information.",
)
FIRST_TOOL: tuple[str, ...] = (
    "First on the list is {product}, which",
    "We begin with {product}, which",
    "1. {product} by {company},",
    "At the top we find {product}, which",
)
NEXT_TOOLS: tuple[str, ...] = (
    "Next comes {product2}, which",
    "Then there is {product2}, which",
    "{product2} also made the list and",
    "A good second choice is {product2}, which",
)
TOOL_TRAITS: tuple[str, ...] = (
    "is the easiest to set up",
    "works best for large projects",
    "is free for personal use",
    "stands out for its speed",
    "comes with good templates",
    "runs without a connection",
    "made the fewest mistakes in our tests",
)
CORRECTION = "Correction on {day}: an earlier version of this article gave a wrong figure."
UPDATE = "Update on {day}: this article was extended after publication."
