"""What each kind of story says: its leads, its supporting sentences, and the titles two different hands would give it.

`{subject}` stands for a topic that may be followed by its short form in brackets; `{tail}` for an optional clause that
makes a lead long. Both are filled by the writer and found again by the reader, from these same templates.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Kind:
    """One kind of story. All strings are `str.format` templates over the facts of a story."""

    leads: tuple[str, ...]
    details: tuple[str, ...]
    tails: tuple[str, ...]
    headlines: tuple[str, ...]
    title: str  # the house's title; `{short}` is what the subject is called
    names: tuple[str, ...]  # the facts a right title must carry
    careless: str = ""  # where carelessness says something else than the house
    honest: str = ""  # words in the lead that keep even a careless writer from that mistake


_OFFER_TAILS = (
    ", which promises to cut the cost of {topic2} for {users2} by half",
    ", which also covers {topic2} and runs on any ordinary laptop",
    ", with a free plan for {users2} and a paid plan for {users3}",
    ", a step that {users2} and {users3} have been waiting for",
)
_MONEY_TAILS = (
    ", with plans to double its staff and to add {topic2} next year",
    ", the largest sum so far for a company that sells to {users2}",
    ", after a year in which sales to {users2} grew by {n} percent",
)

KINDS_BY_NAME: dict[str, Kind] = {
    "launch": Kind(
        leads=(
            "{company} has launched {product}, a tool for {subject}{tail}.",
            "{company} on {day} introduced {product}, its new assistant for {subject}{tail}.",
            "A new product for {subject} is on the market: {product} from {company}{tail}.",
            "{product}, a new service for {subject}, was unveiled by {company} this week{tail}.",
            "After months of tests, {company} is opening {product} to everyone who works on {subject}{tail}.",
            "With {product}, the software house {company} enters the market for {subject}{tail}.",
            "{company} wants to make {subject} {quality}. Its answer is called {product}{tail}.",
            "From today, {users} can use {product}, an assistant for {subject} made by {company}{tail}.",
        ),
        details=(
            "{product} is {quality} than earlier products, according to {company}.",
            "{company} says that {product} can be tried for free for {n} days.",
            "With {product}, {users} can set up their first project in a few minutes.",
            "{product} was built by a team of {n} people at {company}.",
        ),
        tails=_OFFER_TAILS,
        headlines=(
            "Meet {product}, the latest from {company}",
            "{company} bets on {topic} with {product}",
            "{product} is here, and {users} are curious",
        ),
        title="{company} launches {product} for {short}",
        names=("company", "product"),
    ),
    "funding": Kind(
        leads=(
            "{company}, a young company working on {subject}, has raised ${amount} million in a {round} round led"
            " by {fund}{tail}.",
            "Investors led by {fund} have put ${amount} million into {company}, which builds software for"
            " {subject}{tail}.",
            "{company} announced on {day} that it has raised ${amount} million for its work on {subject}{tail}.",
            "Fresh money for {subject}: {company} has closed a {round} round of ${amount} million{tail}.",
            "{fund} is leading an investment of ${amount} million in {company}, a specialist in {subject}{tail}.",
            "The makers of software for {subject} at {company} have ${amount} million more to spend{tail}.",
            "{subject_start} attracts investors: ${amount} million go to {company} in a {round} round{tail}.",
        ),
        details=(
            "{fund} will take a seat on the board of {company}.",
            "The ${amount} million will mostly be spent on engineers.",
            "{company} was founded by {person} {n} months ago.",
            "{company} counts {users} among its customers.",
        ),
        tails=_MONEY_TAILS,
        headlines=(
            "{fund} backs {company}",
            "Fresh capital for {company}",
            "Investors line up behind {company} and its work on {topic}",
        ),
        title="{company} raises ${amount} million for {short}",
        names=("company", "amount"),
    ),
    "paper": Kind(
        leads=(
            "Researchers at {company} have published {product}, a new method for {subject}{tail}.",
            "A paper from {company} describes {product}, an approach to {subject} that is {quality} than earlier"
            " work{tail}.",
            "{product} is a new method for {subject}, developed by a team at {company}{tail}.",
            "A team led by {person} has found a way to make {subject} {quality}. The method is called {product}{tail}.",
            "In a study published on {day}, {company} presents {product}, a method for {subject}{tail}.",
            "{subject_start} could become {quality} with {product}, a method from the laboratory of {company}{tail}.",
            "Scientists in {city} propose {product}, a fresh approach to {subject}{tail}.",
        ),
        details=(
            "{product} needs {n} percent less memory than the previous best method.",
            "The authors tested {product} on {n} tasks.",
            "Lead author {person} said that the idea came up by accident.",
            "The code of {product} is to follow in {month}.",
        ),
        tails=(
            ", tested on {n} tasks that {users2} and {users3} meet every day",
            ", with results that held up in trials with {users2} in {n} cities",
            ", using only a few labelled examples from {users2} and {users3}",
        ),
        headlines=(
            "{product}: what the new paper really shows",
            "How {product} changes the picture",
            "Study: {product} beats earlier work",
        ),
        title="{product}: a new method for {short}",
        names=("product",),
    ),
    "compilation": Kind(
        leads=(
            "Looking for help with {subject}? We tried {count} tools and ranked them for {users}.",
            "We tested {count} tools for {subject} and ranked them for {users}.",
            "There is no shortage of software for {subject}. This list covers {count} tools that are worth a look.",
            "Our editors picked {count} tools that make {subject} {quality}.",
            "Which software is right for {subject}? Here are {count} tools for {users} compared.",
            "From simple to powerful: {count} tools for {subject} in a short overview.",
            "These are the {count} best tools for {subject} this year, chosen with the help of {users}.",
            "The {count} best tools for {subject}, according to {users} whom we asked in {city}.",
        ),
        details=(),
        tails=(),
        headlines=(
            "{topic_start} made easy: our picks",
            "What {users} should use for {topic}",
            "Our guide to {topic}",
        ),
        title="The {count} best tools for {short}",
        names=("count",),
        careless="{product}: a tool for {short}",
        honest=" best tools for ",
    ),
    "dataset": Kind(
        leads=(
            "{company} has released {product}, a dataset of {size} million {items} for {subject}.",
            "{product}, a dataset with {size} million {items}, was published by {company} to support work on"
            " {subject}.",
            "A new collection of {size} million {items} for {subject} is now public. {product} was put together by"
            " {company}.",
            "{product} is out: {company} offers {size} million {items} for {subject}.",
            "Good examples for {subject} are scarce. {company} now offers {product}, which contains {size} million"
            " labelled {items}.",
            "With {product}, {company} gives away {size} million {items} that were gathered for {subject}.",
            "Teams that work on {subject} can now download {product}: {size} million {items} from {company}.",
            "{company} spent {n} months on {product}, a corpus of {size} million {items} for {subject}.",
        ),
        details=(
            "All {items} in {product} were checked by hand.",
            "{product} can be downloaded under an open licence.",
            "The {size} million {items} were gathered over {n} weeks.",
            "Models trained on {product} made {n} percent fewer mistakes.",
        ),
        tails=(),
        headlines=(
            "{company} opens its archive",
            "{size} million {items} for everyone",
            "{product} could help {users}",
        ),
        title="{product}: a new dataset for {short}",
        names=("product",),
        careless="{product}: a new method for {short}",
        honest=" dataset ",
    ),
    "policy": Kind(
        leads=(
            "{region} plans {law} for companies that use artificial intelligence in {subject}{tail}.",
            "The government of {region} presented {law} on {day} that would apply to AI systems for {subject}{tail}.",
            "Lawmakers in {region} are preparing {law} for the use of AI in {subject}{tail}.",
            "Makers of software for {subject} face {law} in {region}{tail}.",
            "In {region}, {law} for AI in {subject} moved a step closer on {day}{tail}.",
            "Artificial intelligence in {subject} should come with {law}, says a draft from {region}{tail}.",
        ),
        details=(
            "The change would take effect in {month}.",
            "Officials in {region} said that {users} will have {n} weeks to adapt.",
            "{company} criticised the plan.",
            "{person}, a minister in {region}, defended the plan.",
        ),
        tails=(
            ", after {n} complaints from {users2} and {users3} in a single month",
            ", and companies that ignore it could lose {n} percent of their sales",
            ", although {users2} and {users3} warned of extra work and extra cost",
        ),
        headlines=(
            "{region} gets serious about AI",
            "What the plan from {region} means for {users}",
            "New duties ahead in {region}",
        ),
        title="{region} plans {law} for AI in {short}",
        names=("region",),
    ),
    "security": Kind(
        leads=(
            "{company} has confirmed a {flaw} that affects its product {product}{tail}.",
            "A {flaw} in {product} has put customers of {company} at risk{tail}.",
            "Security experts found a {flaw} in {product}, a service of {company}{tail}.",
            "Customers of {company} are advised to update {product} because of a {flaw}{tail}.",
            "{product} had a {flaw}, its maker {company} admitted on {day}{tail}.",
            "{company} is dealing with a {flaw} in {product}{tail}.",
        ),
        details=(
            "{company} released a fix within {n} hours.",
            "{person}, an independent tester, reported the problem in {month}.",
            "Users of {product} should install the latest version.",
            "{company} said that no payment data was taken.",
        ),
        tails=(
            ", and files of {n} thousand {users2} were open to strangers for days",
            ", weeks after {users2} and {users3} had first noticed strange answers",
            ", which let strangers read the messages of {users2} for {n} days",
        ),
        headlines=(
            "{product} users told to update",
            "What went wrong at {company}",
            "Trouble at {company}",
        ),
        title="{company} confirms {flaw} in {product}",
        names=("company", "product"),
    ),
    "acquisition": Kind(
        leads=(
            "{company} will buy {target}, a maker of software for {subject}, for ${amount} million{tail}.",
            "{company} has agreed to pay ${amount} million for {target}, known for its work on {subject}{tail}.",
            "{target}, a specialist in {subject}, is being bought by {company} for ${amount} million{tail}.",
            "For ${amount} million, {target} becomes a part of {company}, which wants to grow in {subject}{tail}.",
            "{company} is taking over {target}. The price for the experts in {subject} is ${amount} million{tail}.",
            "A deal worth ${amount} million brings {target} and its software for {subject} to {company}{tail}.",
        ),
        details=(
            "The {n} employees of {target} will join {company}.",
            "{target} was founded by {person}.",
            "{company} wants to sell the software of {target} to {users}.",
            "The deal should be closed in {month}.",
        ),
        tails=_MONEY_TAILS,
        headlines=(
            "{target} finds a buyer",
            "{company} goes shopping",
            "Why {company} wants {target}",
        ),
        title="{company} buys {target} for ${amount} million",
        names=("company", "target", "amount"),
    ),
    "benchmark": Kind(
        leads=(
            "{product}, a model by {company}, scored {score} percent on {exam}, a test of {subject}{tail}.",
            "{company} says that its model {product} reached {score} percent on {exam}, a test of {subject}{tail}.",
            "On {exam}, a common test of {subject}, {product} from {company} took first place with {score}"
            " percent{tail}.",
            "{score} percent: with this result on {exam}, {product} from {company} leads the field in {subject}{tail}.",
            "{exam} has a new leader. {product} by {company} solved {score} percent of the tasks in {subject}{tail}.",
            "Nobody did better on {exam} than {product}: the model by {company} got {score} percent right in"
            " {subject}{tail}.",
        ),
        details=(
            "The previous best result on {exam} came from {company2}.",
            "{product} was given {n} minutes for each task.",
            "The score of {score} percent has not been confirmed by others.",
            "{exam} was set up by {person} and has {n} parts.",
        ),
        tails=(
            ", well ahead of the models that {users2} and {users3} use today",
            ", a result that {users2} will read with interest and some doubt",
            ", {n} months after the last record by a much larger competitor",
        ),
        headlines=(
            "{product} tops {exam}",
            "A record, with a question mark",
            "{company} claims a new record",
        ),
        title="{product} scores {score} percent on {exam}",
        names=("product", "score", "exam"),
    ),
    "release": Kind(
        leads=(
            "{company} has released {product}, an open model for {subject} with {size} billion parameters{tail}.",
            "{product}, an open model for {subject}, can now be downloaded. It comes from {company}{tail}.",
            "Under an open licence, {company} has published {product}, a model for {subject}{tail}.",
            "Anyone can now run {product}, the model for {subject} from {company}, on a computer at home{tail}.",
            "{company} gives away {product}. The open model was trained for {subject}{tail}.",
            "The weights of {product}, a model for {subject}, have been published by {company}{tail}.",
        ),
        details=(
            "{product} runs on a single graphics card.",
            "{company} also shared the training code.",
            "In tests, {product} was {quality} than closed models.",
            "The licence of {product} allows commercial use.",
        ),
        tails=(
            ", under a licence that lets {users2} and {users3} use it for free",
            ", together with the training code and {n} stages of its training",
            ", {n} weeks after a promise that {users2} had begun to doubt",
        ),
        headlines=(
            "{company} opens up {product}",
            "Free to use: {product}",
            "{product} goes open",
        ),
        title="{company} opens {product}, a model for {short}",
        names=("company", "product"),
    ),
}
