"""What a worker of the engine does before its first call."""

from __future__ import annotations

import cv2


def limit_opencv_threads() -> None:
    """Give OpenCV one thread: the pool is what runs calls beside each other."""
    cv2.setNumThreads(1)
