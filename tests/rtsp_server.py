"""A real RTSP server of one file, from GStreamer: each client is played the file from its beginning, at its own pace.

Run by the system's Python, for its bindings come with the distribution and not with a wheel:

    /usr/bin/python3 tests/rtsp_server.py PORT FILE.mp4

It serves `rtsp://127.0.0.1:PORT/live` until it is ended.
"""

import sys

import gi  # type: ignore[import-not-found]  # python3-gi of the distribution

gi.require_version("Gst", "1.0")
gi.require_version("GstRtspServer", "1.0")
from gi.repository import GLib, Gst, GstRtspServer  # type: ignore[import-not-found]  # noqa: E402  after its version is chosen


def main() -> None:
    port, media = sys.argv[1:3]
    Gst.init(None)
    server = GstRtspServer.RTSPServer()
    server.set_address("127.0.0.1")
    server.set_service(port)
    factory = GstRtspServer.RTSPMediaFactory()
    factory.set_launch(f'( filesrc location="{media}" ! qtdemux name=d d.video_0 ! rtph264pay name=pay0 pt=96 config-interval=-1 )')
    server.get_mount_points().add_factory("/live", factory)
    server.attach(None)
    GLib.MainLoop().run()


if __name__ == "__main__":
    main()
