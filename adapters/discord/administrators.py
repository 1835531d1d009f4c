"""Who manages a server, where no event tells: asked of Discord."""

from adapters.discord.places import DIRECT
from adapters.discord.refusals import Refused
from adapters.discord.rest import Rest
from adapters.discord.wire import items, snowflake, string, strings

ADMINISTRATOR, MANAGE_SERVER = 1 << 3, 1 << 5


async def manages(rest: Rest, guild: str, person: str) -> bool:
    """Whether somebody owns a server or has a role that manages it; False in doubt."""
    if guild == DIRECT or not guild.isdecimal() or not person.isdecimal():
        return False
    try:
        server = await rest.get("/guilds/{guild_id}", guild_id=guild)
        if snowflake(server, "owner_id") == person:
            return True
        member = await rest.get(
            "/guilds/{guild_id}/members/{user_id}", guild_id=guild, user_id=person
        )
    except Refused:
        return False
    # Everybody has the role that has the server's own id.
    held = {guild, *strings(member, "roles")}
    return any(
        manager(string(role, "permissions"))
        for role in items(server, "roles")
        if snowflake(role, "id") in held
    )


def manager(permissions: str) -> bool:
    """Whether permissions, as Discord writes them, include managing the server."""
    return permissions.isdecimal() and bool(int(permissions) & (ADMINISTRATOR | MANAGE_SERVER))
