"""The phantom's camera: a small picture of an object on a ground, seen from the X-ray source's side."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from threatray.core import BoolArray, FloatArray
from threatray.phantom.grounds import Ground, ground_image
from threatray.phantom.parts import SolidObject, Texture
from threatray.phantom.pose import Pose
from threatray.phantom.raster import Frame, Surface, nearest_surface

SUPERSAMPLING: Final = 3
"""Rays across one photo pixel; their mean is what softens edges."""
_SEEN: Final = 14.0
"""A difference in CIE Lab that an outline needs to be followed in noise and texture."""


@dataclass(frozen=True)
class CameraParams:
    """The randomness of one photo.

    Args:
        ground: What the object lies on.
        ground_seed: Seed of the ground's texture.
        light: (x, y, z) towards the main light; z is positive.
        ambient: Share of the light that comes from everywhere.
        warmth: Colour temperature, from -1 (blue) to 1 (orange).
        exposure: Gain.
        distance_cm: From the camera to the middle of the object.
        blur_sigma_px: Lens blur.
        noise_sigma: Sensor noise, share of white.
        noise_seed: Its seed.
        shadow: Strength of the shadow, 0 to 1.
        jpeg_quality: 0 keeps the pixels, otherwise 1 to 100.
    """

    ground: Ground
    ground_seed: int
    light: tuple[float, float, float]
    ambient: float
    warmth: float
    exposure: float
    distance_cm: float
    blur_sigma_px: float
    noise_sigma: float
    noise_seed: int
    shadow: float
    jpeg_quality: int


def draw_camera(rng: np.random.Generator) -> CameraParams:
    """Choose ground, light and lens of one photo."""
    azimuth, height = rng.uniform(0, 2 * np.pi), rng.uniform(0.55, 1.3)
    return CameraParams(
        ground=tuple(Ground)[int(rng.choice(len(Ground), p=(0.38, 0.16, 0.14, 0.12, 0.08, 0.12)))],
        ground_seed=int(rng.integers(2**31)),
        light=(float(np.cos(azimuth) * np.cos(height)), float(np.sin(azimuth) * np.cos(height)), float(np.sin(height))),
        ambient=float(rng.uniform(0.25, 0.55)),
        warmth=float(rng.normal(0, 0.35)),
        exposure=float(rng.uniform(0.85, 1.2)),
        distance_cm=float(rng.uniform(300, 800)),
        blur_sigma_px=float(rng.uniform(0.0, 0.7)),
        noise_sigma=float(rng.uniform(0.002, 0.02)),
        noise_seed=int(rng.integers(2**31)),
        shadow=float(rng.uniform(0.15, 0.75)),
        jpeg_quality=int(rng.choice([0, 95, 88, 75, 60])),
    )


def photograph(thing: SolidObject, pose: Pose, frame: Frame, params: CameraParams) -> tuple[NDArray[np.uint8], BoolArray]:
    """A photo of the object in a pose.

    Args:
        thing: What; only its outermost surface is seen.
        pose: As for the scan.
        frame: As for the scan, so that photo and scan share their pixels up to the camera's slight perspective.
        params: Ground, light and lens.

    Returns:
        (H, W, 3) RGB uint8 and the (H, W) mask of the pixels that the object covers at least half.
    """
    fine = Frame((frame.size[0] * SUPERSAMPLING, frame.size[1] * SUPERSAMPLING), frame.pitch_cm / SUPERSAMPLING, frame.origin)
    vertices = pose.place(thing.mesh.vertices)
    centre = np.array([frame.origin[0] + frame.size[1] * frame.pitch_cm / 2, frame.origin[1] - frame.size[0] * frame.pitch_cm / 2])
    middle = (vertices[:, 2].min() + vertices[:, 2].max()) / 2
    nearness = params.distance_cm / (params.distance_cm - (vertices[:, 2:] - middle))
    seen = np.concatenate([centre + (vertices[:, :2] - centre) * nearness, vertices[:, 2:]], axis=1)
    surface = nearest_surface(seen, thing.mesh.faces, fine)
    covered = surface.triangle >= 0
    shaded = _shade(thing, vertices, surface, params)
    ground = ground_image(params.ground, fine.size, fine.pitch_cm, np.random.default_rng(params.ground_seed))
    ground = ground * _shadow(covered, surface.depth - float(vertices[:, 2].min()), fine, params)[..., None]
    linear = np.where(covered[..., None], shaded, ground)
    height, width = frame.size
    linear = linear.reshape(height, SUPERSAMPLING, width, SUPERSAMPLING, 3).mean(axis=(1, 3))
    coverage = covered.reshape(height, SUPERSAMPLING, width, SUPERSAMPLING).mean(axis=(1, 3))
    return _develop(linear, params), np.asarray(coverage > 0.5)


def outline_contrast(pixels: NDArray[np.uint8], mask: BoolArray) -> float:
    """Share of an object's outline that the eye can follow: colours just inside and just outside differ by ``_SEEN`` in CIE Lab.

    Args:
        pixels: (H, W, 3) RGB uint8.
        mask: (H, W), the object.

    Returns:
        In [0, 1]; 0 for an empty mask.

    Example:
        >>> photo = np.full((20, 20, 3), 250, np.uint8); photo[5:15, 5:15] = 40
        >>> inside = np.zeros((20, 20), bool); inside[5:15, 5:15] = True
        >>> outline_contrast(photo, inside), outline_contrast(np.full_like(photo, 90), inside)
        (1.0, 0.0)
    """
    import cv2

    lab = cv2.cvtColor(pixels.astype(np.float32) / np.float32(255), cv2.COLOR_RGB2Lab)
    square = np.ones((3, 3), np.uint8)
    solid = mask.astype(np.uint8)
    outer = (cv2.dilate(solid, square, iterations=3) - cv2.dilate(solid, square)) > 0
    weight = outer.astype(np.float32)
    near = cv2.blur(weight, (7, 7))
    around = cv2.blur(lab * weight[..., None], (7, 7)) / np.maximum(near, 1e-6)[..., None]
    edge = (solid - cv2.erode(solid, square)) > 0
    edge &= near > 0.05
    if not edge.any():
        return 0.0
    difference = np.linalg.norm(lab - around, axis=2)[edge]
    return float((difference > _SEEN).mean())


def _shade(thing: SolidObject, vertices: NDArray[np.float64], surface: Surface, params: CameraParams) -> NDArray[np.float64]:
    """Linear RGB of the object: Lambert, a Blinn-Phong highlight, and for metal a reflected room."""
    faces = thing.mesh.faces
    normals = _smooth_normals(vertices, faces)
    where = np.nonzero(surface.triangle >= 0)
    triangle, weights = surface.triangle[where], surface.weights[where]
    normal = np.einsum("nk,nkc->nc", weights, normals[triangle])
    normal /= np.maximum(np.linalg.norm(normal, axis=1, keepdims=True), 1e-9)
    local = np.einsum("nk,nkc->nc", weights, thing.mesh.vertices[faces[triangle]])
    part = thing.piece_of_face[triangle]
    finishes = [piece.finish for piece in thing.pieces]
    colour = np.array([finish.colour for finish in finishes])[part]
    rough = np.array([finish.roughness for finish in finishes])[part]
    metal = np.array([finish.metalness for finish in finishes])[part]
    for number, finish in enumerate(finishes):
        chosen = part == number
        if finish.texture is not Texture.PLAIN and chosen.any():
            factor, bump = _texture(finish.texture, local[chosen])
            colour[chosen] *= factor[:, None]
            normal[chosen, :2] += bump
    light = np.array(params.light)
    half = light + np.array([0, 0, 1.0])
    half /= np.linalg.norm(half)
    lambert = np.maximum(normal @ light, 0)
    gloss = 2.0 / np.maximum(rough, 0.08) ** 3
    highlight = np.maximum(normal @ half, 0) ** gloss * (gloss + 8) / 60 * (1 - rough) * (lambert > 0)
    # The room that metal mirrors: a bright ceiling towards the light, darker towards the horizon, and a band of windows.
    mirrored = 2 * normal[:, 2:] * normal - np.array([0, 0, 1.0])
    towards = mirrored @ light
    room = 0.35 + 0.5 * np.clip(mirrored[:, 2], -0.5, 1) + 0.45 * np.exp(-(((towards - 0.55) / 0.22) ** 2))
    diffuse = params.ambient * (0.55 + 0.45 * normal[:, 2]) + (1 - params.ambient) * lambert
    strength = metal * 0.75
    body = colour * (diffuse * (1 - strength) + room * strength)[:, None] * 1.15
    gleam = highlight[:, None] * (metal[:, None] * np.minimum(colour * 2 + 0.15, 1.0) + (1 - metal[:, None]) * 0.35)
    shaded = np.zeros((*surface.triangle.shape, 3))
    shaded[where] = body + 0.6 * np.minimum(gleam, 1.2)
    return shaded


def _smooth_normals(vertices: NDArray[np.float64], faces: NDArray[np.int64]) -> NDArray[np.float64]:
    """(F, 3, 3) normal at each corner: the mean of the faces around, but sharp edges (over some 45 degrees) stay sharp."""
    corners = vertices[faces]
    crossed = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    face_normal = crossed / np.maximum(np.linalg.norm(crossed, axis=1, keepdims=True), 1e-12)
    around = np.stack([np.bincount(faces.ravel(), np.repeat(crossed[:, axis], 3), len(vertices)) for axis in range(3)], axis=1)
    around = around / np.maximum(np.linalg.norm(around, axis=1, keepdims=True), 1e-12)
    smooth = around[faces]
    alike = np.einsum("fkc,fc->fk", smooth, face_normal) > 0.8
    return np.asarray(np.where(alike[..., None], smooth, face_normal[:, None, :]), np.float64)


def _texture(texture: Texture, local: NDArray[np.float64]) -> tuple[NDArray[Any], NDArray[Any]]:
    """Brightness and bend of the normal from a surface's own coordinates, so that the pattern sticks to the thing."""
    x, y, z = local.T
    match texture:
        case Texture.WOOD:
            ring = y * 5.5 + 1.6 * np.sin(x * 0.55 + 1.3 * np.sin(y * 1.1)) + z * 2.0
            fine = np.sin(ring * 6.1 + x * 0.8)
            return 0.82 + 0.22 * np.sin(ring * 2.0) + 0.08 * fine, np.zeros((len(local), 2))
        case Texture.BRUSHED:
            streak = np.sin(x * 31.0 + np.sin(y * 0.7) * 3) * np.sin(x * 17.3 + 1.0) + 0.6 * np.sin(x * 71.0 + y)
            return 1.0 + 0.07 * streak, np.stack([0.03 * streak, np.zeros_like(streak)], axis=1)
        case Texture.CHECKERED:
            grid = np.sin((x + y) * 14.0) * np.sin((x - y) * 14.0) * (np.abs(z) > 0.4)
            return 1.0 + 0.25 * grid, 0.12 * np.stack([grid, grid], axis=1)
    return np.ones(len(local)), np.zeros((len(local), 2))


def _shadow(covered: BoolArray, height: FloatArray, frame: Frame, params: CameraParams) -> NDArray[np.float32]:
    """How much light reaches the ground: a contact shadow and one thrown away from the light."""
    import cv2

    tall = float(np.mean(height[covered])) if covered.any() else 0.0
    solid = covered.astype(np.float32)
    reach = tall / max(params.light[2], 0.3) / frame.pitch_cm
    move = np.array([[1, 0, -params.light[0] * reach], [0, 1, params.light[1] * reach]], np.float32)
    thrown = cv2.warpAffine(solid, move, frame.size[::-1])
    soft = cv2.GaussianBlur(thrown, (0, 0), max(1.5, 0.5 * tall / frame.pitch_cm))
    contact = cv2.GaussianBlur(solid, (0, 0), max(1.0, 0.35 / frame.pitch_cm))
    return np.asarray(1 - params.shadow * np.maximum(0.85 * soft, 0.7 * contact), np.float32)


def _develop(linear: NDArray[Any], params: CameraParams) -> NDArray[np.uint8]:
    """Light to 8 bit sRGB: white balance, exposure, blur, noise, compression."""
    import cv2

    tint = np.array([1 + 0.12 * params.warmth, 1.0, 1 - 0.12 * params.warmth])
    light = np.clip(linear * tint * params.exposure, 0, 1)
    shown = np.where(light <= 0.0031308, 12.92 * light, 1.055 * light ** (1 / 2.4) - 0.055).astype(np.float32)
    if params.blur_sigma_px > 0.15:
        shown = cv2.GaussianBlur(shown, (0, 0), params.blur_sigma_px)
    shown = shown + np.random.default_rng(params.noise_seed).normal(0, params.noise_sigma, shown.shape)
    pixels = np.clip(np.round(shown * 255), 0, 255).astype(np.uint8)
    if params.jpeg_quality:
        _, packed = cv2.imencode(".jpg", pixels[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, params.jpeg_quality])
        pixels = np.asarray(cv2.imdecode(packed, cv2.IMREAD_COLOR), np.uint8)[..., ::-1]
    return np.ascontiguousarray(pixels)
