"""The lab: the library in a browser, to drag, compare and race. What `xent lab` starts; on this machine only, nothing leaves it.

`server` listens and hands out pages, `guard` says who may come in, `live` answers over one WebSocket in the binary form of `wire`,
`values` and `asked` read settings, `own` knows the user's own costs by the names that pages have for them, `answers`, `examples`
and `telling` have the library compute and say, `exports` gives figures away. The pages stand in `static`: small modules without a
build step. Starlette and uvicorn, the extra `lab`, are imported here only.
"""
