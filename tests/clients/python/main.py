"""hvac, unmodified, against a broker: the guide, wrapping, the token tree, denial. Ends at the first surprise."""

import denial
import guide
import token_tree
import world
import wrapping

guide.run()
print("guide: ok")
world.prepare()
for name, part in (("wrapping", wrapping), ("token tree", token_tree), ("denial", denial)):
    part.run()
    print(f"{name}: ok")
