"""The login: a token is shown once, and a cookie remembers that it was."""

import asyncio

from helpers.dashboard.pages import BarePage

WRONG_SECONDS = 0.5  # a guess costs so long
REMEMBERED_DAYS = 30


class LoginHandler(BarePage):
    """Takes the token, from the form or from the link that was printed."""

    async def get(self) -> None:
        """Answer with the form, or let whoever has the link in."""
        given = self.get_query_argument("token", "")
        if given:
            await self._try(given)
        else:
            self.show_login()

    async def post(self) -> None:
        """Take the form."""
        await self._try(self.get_body_argument("token", ""))

    async def _try(self, given: str) -> None:
        access = self.application.access
        if not access.is_token(given.strip()):
            await asyncio.sleep(WRONG_SECONDS)
            self.show_login("That is not the token.", status=403)
            return
        path = f"{self.application.prefix}/"
        self.set_cookie(
            access.cookie,
            access.cookie_value(),
            path=path,
            expires_days=REMEMBERED_DAYS,
            httponly=True,
            samesite="Strict",
        )
        # Not a redirect: with one a strict cookie is left out when the link was clicked on another site.
        self.write_bare("entered.html.j2")


class LoginNeededHandler(BarePage):
    """Answers who has not shown the token."""

    def get(self) -> None:
        """Answer with the form; the link that was printed names the first page."""
        self.show_login(status=403)

    head = get
