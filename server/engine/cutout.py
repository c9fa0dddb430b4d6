"""Cut a subject out of its image from a rough mark: a stroke on it, a point, or a box or circle round it.

A mark is ambiguous: a stroke may mean the shirt it lies on or the person in it, and one as wide as no brush an outline
that was filled. So each mark is turned into labels for GrabCut in two ways, both are cut coarsely, and the cut with the
clearer edge is refined (`grabcut`) and softened (`matting`). Good with boxes and uniform subjects; a point on a
two-coloured thing may take half of it. Every cut comes with a confidence and, when that is low, with advice on how to
mark the subject better.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final, Literal

import cv2
import numpy as np

from atelier_mcp.server.engine.colour_cells import compute_region_likelihood
from atelier_mcp.server.engine.grabcut import (
    HardCut,
    compute_coarse_cut,
    compute_compactness,
    compute_edge_contrast,
    refine_cut,
    select_foreground,
    shrink_to_work_size,
)
from atelier_mcp.server.engine.matting import compute_soft_alpha, decontaminate
from atelier_mcp.server.engine.pixels import Mask, Pixels, Plane, clean_mask
from atelier_mcp.server.engine.saliency import compute_saliency, label_subject

MarkKind = Literal["smear", "box", "circle", "line", "point"]

LOW_CONFIDENCE: Final = 0.65
"""Below it the caller is told how to mark the subject better."""
GIVE_A_BOX: Final = "low confidence: mark the subject with a box"
GIVE_A_TIGHTER_BOX: Final = "low confidence: mark the subject with a tighter box"
FOLLOW_THE_OUTLINE: Final = "low confidence: look at its edge, and follow the outline more closely where it is wrong"
LIKE_COLOUR: Final = 28.0
"""Lab distance from the stroke's colours that still speaks for the subject."""
NEAR_STROKE: Final = 0.22
"""Distance from the stroke, as a share of the longest side, that still speaks for the subject."""
AREA_HALF_WIDTH: Final = 0.08
"""Share of the longest side from which a mark is as wide as no brush."""
OUTLINE_SLIP: Final = 0.04
"""Share of the longest side by which an outline drawn by hand misses the subject's."""
SURE_LIKELIHOOD: Final = 0.9
"""How much a spot in a box must differ in its colours from what is outside to be the subject for sure."""


@dataclass(frozen=True, slots=True)
class MarkInterpretation:
    """One way to understand a mark: labels (``GC_*``) for the graph cut.

    ``score_factor`` is the share of an earlier interpretation's score this one has to reach when it finds more; when it
    finds less, it has to be better by as much.
    """

    labels: Mask
    score_factor: float = 1.0


@dataclass(frozen=True, slots=True)
class Cut:
    """A subject: its alpha (0..255), its own RGB colours, how sure the cut is (0..1), and advice for the caller.

    The planes have the size of the image. ``foreground`` has no background colour mixed in along the edge, so the
    subject can be laid on any other ground.
    """

    alpha: Mask
    foreground: Pixels
    confidence: float
    advice: tuple[str, ...]


def cut_out(image: Pixels, mark: Mask, *, kind: MarkKind) -> Cut:
    """The subject of the RGB image that the user's rough mark (255) means.

    A box or circle holds the subject inside it, drawn filled or as an outline; smear, line and point lie on it.

    Raises:
        ValueError: the mark is empty, covers all or has another size.
    """
    area = clean_mask(image, mark)
    small = shrink_to_work_size(image)
    # Above 0 and not above half: a thin stroke must not vanish when it is reduced.
    rough = ((cv2.resize(area, small.shape[1::-1], interpolation=cv2.INTER_AREA) > 0) * 255).astype(np.uint8)
    if kind in ("box", "circle"):
        inside = _fill_outline(rough)
        hard = _choose_best_cut(small, _interpret_box(small, inside), seeds=None)
        if cv2.countNonZero(hard.mask) == 0:  # nothing told apart: all of the box, and no confidence in it
            hard = replace(hard, mask=inside)
        return finish_cut(image, hard, trust=_measure_span(hard.mask, inside), remedy=GIVE_A_TIGHTER_BOX)
    seeds = _find_seeds(rough, kind)
    is_area = kind == "smear" and _is_wider_than_brushes(rough)
    marked = _interpret_area(rough, seeds) if is_area else _interpret_stroke(small, seeds)
    hard = _choose_best_cut(small, [marked, *_find_whole_thing(small, seeds)], seeds=seeds)
    remedy = FOLLOW_THE_OUTLINE if is_area else GIVE_A_BOX
    return finish_cut(image, hard, trust=_measure_held_share(seeds, hard.mask), remedy=remedy)


def finish_cut(image: Pixels, hard: HardCut, *, trust: float, remedy: str = GIVE_A_BOX) -> Cut:
    """The cut brought to full size.

    ``trust`` (0..1) is what the caller knows about it besides its own measures; ``remedy`` is the advice for a cut of
    low confidence.
    """
    alpha = compute_soft_alpha(image, hard.mask)
    confidence = compute_confidence(hard, trust=trust)
    advice = (remedy,) if confidence < LOW_CONFIDENCE else ()
    return Cut(alpha, decontaminate(image, alpha), confidence, advice)


def compute_confidence(hard: HardCut, *, trust: float) -> float:
    """How sure a cut is, in [0, 1]: a product, so that one bad measure is enough to make it low."""
    return float(hard.compactness * hard.steadiness * trust * np.clip((hard.contrast - 0.4) / 0.45, 0, 1))


def _choose_best_cut(small: Pixels, interpretations: list[MarkInterpretation], *, seeds: Mask | None) -> HardCut:
    """The cut by the best interpretation of a mark, judged by coarse cuts: clearest edge, and rather more than less."""
    cuts = [
        (compute_coarse_cut(small, interpretation.labels, seeds=seeds), interpretation)
        for interpretation in interpretations
    ]
    best, *others = cuts
    for other in others:
        # When the other cut is the smaller one, the factor counts the other way round: more is preferred either way.
        score_factor = (
            other[1].score_factor
            if cv2.countNonZero(other[0]) > cv2.countNonZero(best[0])
            else 1 / other[1].score_factor
        )
        if _score_cut(small, other[0], seeds) > score_factor * _score_cut(small, best[0], seeds):
            best = other
    rough, reading = best
    return refine_cut(small, rough, reading.labels, seeds=seeds)


def _score_cut(small: Pixels, rough: Mask, seeds: Mask | None) -> float:
    """How good a coarse cut looks: its edge is clear, its size sane, and it holds the stroke."""
    held_share = 1.0 if seeds is None else _measure_held_share(seeds, rough)
    return compute_edge_contrast(small, rough) * compute_compactness(rough) * held_share


def _interpret_box(small: Pixels, inside: Mask) -> list[MarkInterpretation]:
    """The subject is what has colours rare just outside the box; or whatever in the box GrabCut tells apart."""
    ground = np.full(inside.shape, cv2.GC_BGD, np.uint8)
    ground[inside > 0] = cv2.GC_PR_FGD
    # The rim is as wide as six hundredths of the box: far enough for a fair sample of the ground.
    width = 2 * max(3, round(0.06 * float(np.sqrt(cv2.countNonZero(inside))))) + 1
    rim = cv2.subtract(cv2.dilate(inside, np.ones((width, width), np.uint8)), inside)
    if cv2.countNonZero(rim) == 0:
        return [MarkInterpretation(ground)]
    likelihood = compute_region_likelihood(cv2.cvtColor(small, cv2.COLOR_RGB2LAB), inside, rim)
    labels = ground.copy()
    labels[(inside > 0) & (likelihood < 0.5)] = cv2.GC_PR_BGD
    # Blurred: a single pixel of a rare colour is no subject.
    labels[cv2.blur(np.where(inside > 0, likelihood, 0), (7, 7)) > SURE_LIKELIHOOD] = cv2.GC_FGD
    return [MarkInterpretation(labels), MarkInterpretation(ground, score_factor=0.85)]


def _interpret_stroke(small: Pixels, seeds: Mask) -> MarkInterpretation:
    """The subject is what is coloured like the stroke."""
    colour, path_distance = _measure_stroke_distance(small, seeds)
    score = colour / np.float32(LIKE_COLOUR) + path_distance / np.float32(NEAR_STROKE)
    return MarkInterpretation(_label_by_score(score, seeds))


def _find_whole_thing(small: Pixels, seeds: Mask) -> list[MarkInterpretation]:
    """The subject is the whole salient thing on which the mark lies, if it lies on that.

    Whoever points at a thing usually means the whole of it, so it wins with four fifths of another one's score.
    """
    whole = label_subject(compute_saliency(small))
    # What stands out most is something else than what was pointed at.
    if _measure_held_share(seeds, select_foreground(whole)) < 0.6:
        return []
    whole[seeds > 0] = cv2.GC_FGD
    return [MarkInterpretation(whole, score_factor=0.8)]


def _is_wider_than_brushes(rough: Mask) -> bool:
    half_width = float(cv2.distanceTransform(rough, cv2.DIST_L2, 5).max())
    return half_width >= AREA_HALF_WIDTH * max(rough.shape)


def _interpret_area(rough: Mask, seeds: Mask) -> MarkInterpretation:
    """The subject is what is marked: whoever fills an outline has drawn one.

    It is followed where the picture has an edge near it, and nothing far from it is taken.
    """
    slip = 2 * round(OUTLINE_SLIP * max(rough.shape)) + 1
    around = cv2.dilate(rough, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (slip, slip)))
    labels = np.full(rough.shape, cv2.GC_BGD, np.uint8)
    labels[around > 0] = cv2.GC_PR_BGD
    labels[rough > 0] = cv2.GC_PR_FGD
    labels[seeds > 0] = cv2.GC_FGD
    return MarkInterpretation(labels)


def _label_by_score(score: Plane, seeds: Mask) -> Mask:
    """Labels (``GC_*``) from a distance score: low is subject, high is ground; the image's border is rather ground."""
    labels = np.full(score.shape, cv2.GC_PR_BGD, np.uint8)
    labels[score < 1.5] = cv2.GC_PR_FGD
    labels[score > 4.5] = cv2.GC_BGD
    frame = np.ones(score.shape, bool)
    # Subjects that are cut by the edge are rare, and grounds that reach it are the rule.
    frame[3:-3, 3:-3] = False
    labels[frame & (labels == cv2.GC_PR_BGD)] = cv2.GC_BGD
    labels[seeds > 0] = cv2.GC_FGD
    return labels


def _measure_stroke_distance(small: Pixels, seeds: Mask) -> tuple[Plane, Plane]:
    """Two planes: the Lab distance from the nearest of the stroke's main colours, and the distance to the stroke.

    The latter is a share of the longest side. Main colours are at most four, by k-means.
    """
    lab = cv2.cvtColor(small, cv2.COLOR_RGB2LAB).astype(np.float32)
    sample = lab[seeds > 0]
    # At least thirty pixels a colour, or noise would have colours of its own.
    count = min(4, max(1, len(sample) // 30))
    stop = (cv2.TERM_CRITERIA_EPS + cv2.TERM_CRITERIA_MAX_ITER, 20, 1.0)
    cv2.setRNGSeed(1)
    _, _, colours = cv2.kmeans(sample, count, np.zeros((len(sample), 1), np.int32), stop, 1, cv2.KMEANS_PP_CENTERS)
    colour = np.min([np.linalg.norm(lab - own, axis=2) for own in colours], axis=0)
    path_distance = cv2.distanceTransform(cv2.bitwise_not(seeds), cv2.DIST_L2, 5)
    return colour, path_distance / np.float32(max(seeds.shape))


def _find_seeds(rough: Mask, kind: MarkKind) -> Mask:
    """The pixels that surely lie on the subject: a point grows to a disc, a smear loses its rim.

    A smear is drawn with a wide brush that slips over the edge; the ridge along its middle does not.
    """
    longest = max(rough.shape)
    if kind == "point":
        seeds = np.zeros_like(rough)
        for x, y in cv2.connectedComponentsWithStats(rough)[3][1:].tolist():
            cv2.circle(seeds, (round(x), round(y)), max(4, round(0.02 * longest)), 255, cv2.FILLED)
        return seeds
    depth = cv2.distanceTransform(rough, cv2.DIST_L2, 5)
    rim = min(0.4 * float(depth.max()), 0.02 * longest)
    return ((depth > rim) * 255).astype(np.uint8)


def _fill_outline(rough: Mask) -> Mask:
    """The area a box or circle encloses, whether drawn filled or as a line."""
    contours, _ = cv2.findContours(rough, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    return cv2.drawContours(np.zeros_like(rough), contours, -1, 255, cv2.FILLED)


def _measure_span(mask: Mask, inside: Mask) -> float:
    """How well a cut spans the box drawn round it: 1 when it reaches near its sides, 0 when it is lost in it."""
    _, _, width, height = cv2.boundingRect(mask)
    _, _, box_width, box_height = cv2.boundingRect(inside)
    reach = (width / box_width + height / box_height) / 1.5
    body = cv2.countNonZero(mask) / (0.15 * cv2.countNonZero(inside))
    return min(1.0, reach) * min(1.0, body)


def _measure_held_share(seeds: Mask, mask: Mask) -> float:
    """The share of the stroke the cut holds."""
    return cv2.countNonZero(cv2.bitwise_and(seeds, mask)) / max(1, cv2.countNonZero(seeds))
