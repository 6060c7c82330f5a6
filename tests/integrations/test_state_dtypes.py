"""Every type of number that torch, numpy, JAX and TensorFlow have comes back bit for bit, or is refused in words."""

from __future__ import annotations

import numpy as np
import pytest

from rla_hooks.encoding import NotStorable
from rla_hooks.errors import CheckpointError
from rla_hooks.state import objects

ANY = np.random.default_rng(0).integers(0, 256, 4096, np.uint8)  # bits that are no number of any meaning


@pytest.fixture
def there_and_back(through_files):
    """Puts a value into another of its kind, or into the place of None, by way of the files of a state."""

    def go(value, into=None):
        holder = {"it": into}
        assert objects.restore(holder, {"it": through_files(objects.capture(value).tree)}) == []
        return holder["it"]

    return go


def test_torch(there_and_back):
    """All types, those of a few bits too, in order and transposed, anew and into another tensor."""
    torch = pytest.importorskip("torch")
    kinds = {each for each in vars(torch).values() if isinstance(each, torch.dtype)}
    quantized = {torch.qint8, torch.quint8, torch.qint32, torch.quint4x2, torch.quint2x4}
    assert len(kinds) > 30

    def bits(tensor):
        is_narrow = tensor.element_size() == 1  # some of these cannot be copied by torch
        return (tensor.view(torch.uint8) if is_narrow else tensor.contiguous().view(torch.uint8)).tolist()

    for kind in sorted(kinds - quantized, key=str):
        size = torch.empty(0, dtype=kind).element_size()
        raw = torch.from_numpy(ANY[: 6 * size] & (1 if kind == torch.bool else 255))
        for value in (raw.view(kind).reshape(2, 3), raw.view(kind).reshape(2, 3).t(), raw.view(kind)[:0]):
            into = torch.zeros(tuple(value.shape), dtype=torch.uint8).repeat_interleave(size, -1).view(kind)
            for found in (there_and_back(value), there_and_back(value, into.reshape(value.shape))):
                assert (found.dtype, found.shape) == (kind, value.shape), kind
                assert bits(found) == bits(value), kind


def test_quantized_tensors_of_torch(there_and_back):
    """Those with one scale and those with one for each channel, and a part of one; another scheme is named."""
    torch = pytest.importorskip("torch")
    scales, zeros = torch.tensor([0.1, 0.7, 1 / 3], dtype=torch.float64), torch.tensor([1, 2, 0])
    numbers = torch.randn(3, 8, generator=torch.Generator().manual_seed(0))
    whole = torch.quantize_per_tensor(numbers, 1 / 3, 5, torch.quint8)
    values = [
        *(whole, whole[1:], whole.t(), torch.quantize_per_tensor(numbers, 0.1, -3, torch.qint8)),
        *(
            torch.quantize_per_tensor(numbers, 0.1, 0, torch.qint32),
            torch.quantize_per_tensor(numbers[:0], 1.0, 0, torch.qint8),
        ),
        torch.quantize_per_tensor(numbers, 0.5, 3, torch.quint4x2),
        torch.quantize_per_channel(numbers, scales, zeros, 0, torch.qint8),
        torch.quantize_per_channel(numbers, scales.float(), zeros.float(), 0, torch.quint4x2),
    ]

    def all_of(tensor):
        if tensor.qscheme() == torch.per_tensor_affine:
            scale = [tensor.q_scale(), tensor.q_zero_point()]
        else:
            found = (tensor.q_per_channel_scales(), tensor.q_per_channel_zero_points())
            scale = [*((each.dtype, each.tolist()) for each in found), tensor.q_per_channel_axis()]
        return [tensor.dtype, tensor.shape, tensor.qscheme(), *scale, tensor.dequantize().tolist()]

    for value in values:
        assert all_of(there_and_back(value)) == all_of(value)
    for kind in (torch.quint8, torch.quint4x2):
        into = torch.quantize_per_tensor(torch.zeros(3, 8), 9.0, 1, kind)
        value = next(each for each in values if each.dtype == kind)
        assert there_and_back(value, into) is into and all_of(into) == all_of(value)
    into = torch.quantize_per_tensor(torch.zeros(3, 8), 9.0, 1, torch.quint8)
    with pytest.raises(AssertionError, match="has dtype quint8 per_tensor_affine and in the state qint8 per_channel"):
        there_and_back(values[-2], into)


def numpy_kinds():
    """All types of numpy, those of ml_dtypes among them where that is installed."""
    plain = [np.dtype(char) for char in np.typecodes["All"] if char not in "OSUVMm"]
    others = "S3 U3 V5 M8[ns] m8[D] M8 M8[25s] >f4 >c16 >U2 >M8[us]".split()
    fields = [
        np.dtype([("a", "f4", (2,)), ("b", "U2")], align=True),
        np.dtype({"names": ["a", "b"], "formats": ["i1", "f4"], "offsets": [0, 8], "itemsize": 16}),
        np.dtype([("a", [("b", ">f8"), (("title", "c"), "?")])]),
    ]
    ml_dtypes = pytest.importorskip("ml_dtypes")
    extra = [each for each in vars(ml_dtypes).values() if isinstance(each, type) and issubclass(each, np.generic)]
    assert len(extra) > 10
    return [*plain, *map(np.dtype, others), *fields, *map(np.dtype, extra)]


def bits_that_count(number, kind):
    """The bytes of a single number. A long double of 80 bits has six more, which numpy leaves as they happen to be."""
    raw = np.array([number], kind).tobytes()
    is_of_80_bits = kind in (np.longdouble, np.clongdouble) and np.finfo(kind).nmant == 63
    return [raw[at : at + 10] for at in range(0, len(raw), 16)] if is_of_80_bits else raw


def test_numpy(there_and_back):
    """All types, of the other order of bytes, dates, texts, fields, bfloat16 and its kin; arrays and single numbers."""
    for kind in numpy_kinds():
        bits = (
            ANY[: 6 * kind.itemsize] if kind.kind not in "?bU" and not kind.names else np.zeros(6 * kind.itemsize, "u1")
        )
        value = bits.view(kind).reshape(2, 3)
        into = np.zeros((2, 3), kind)
        for found in (there_and_back(value), there_and_back(value, into), into, there_and_back(value.T).T):
            assert (found.dtype, found.tobytes()) == (kind, value.tobytes())
        number = there_and_back(value[1, 1])
        assert type(number) is type(np.zeros((), number.dtype)[()])
        assert bits_that_count(number, kind) == bits_that_count(value[1, 1], kind)
    for empty in (np.str_(""), np.bytes_(b"")):
        assert type(there_and_back(empty)) is type(empty)


def test_types_of_numpy_that_are_refused(there_and_back):
    """Texts of any length, objects in fields, fields that overlap, and fields of types that numpy lacks: what to do."""
    ml_dtypes = pytest.importorskip("ml_dtypes")
    overlapping = np.dtype({"names": ["a", "b"], "formats": ["i4", "i2"], "offsets": [0, 2]})
    for kind in (np.dtype([("a", "f4"), ("b", ml_dtypes.bfloat16)]), overlapping):
        with pytest.raises(
            NotStorable, match=r"do not overlap\. Convert it with astype, or pass its fields one by one"
        ):
            there_and_back(np.zeros(2, kind))
        with pytest.raises(NotStorable, match=r"cannot be stored\. Pass its fields"):
            there_and_back(np.zeros(2, kind)[0])
    texts = [np.zeros(2, np.dtype([("a", object)]))]
    if hasattr(np.dtypes, "StringDType"):  # numpy 2
        texts.append(np.array(["a", "bcd"], np.dtypes.StringDType()))
    for value in texts:
        with pytest.raises(CheckpointError, match=r"is an array of dtype .* Pass x\.astype\('U'\) of texts"):
            there_and_back(value)


def test_jax(there_and_back):
    """All types, those that need jax_enable_x64 too."""
    jax = pytest.importorskip("jax")
    kinds = {each.dtype for each in vars(jax.numpy).values() if isinstance(getattr(each, "dtype", None), np.dtype)}
    assert len(kinds) > 25
    names = "int1 uint1 float6_e2m3fn float6_e3m2fn".split()  # JAX names these, and makes no array of them (0.10)
    without_arrays = [getattr(jax.numpy, name) for name in names if hasattr(jax.numpy, name)]
    with jax.enable_x64(True):
        for kind in kinds - set(map(np.dtype, without_arrays)):
            bits = ANY[: 6 * kind.itemsize] if kind.itemsize > 1 else np.arange(6, dtype=np.uint8) % 2
            value = jax.numpy.asarray(bits.view(kind).reshape(2, 3))
            for found in (there_and_back(value), there_and_back(value, jax.numpy.zeros((2, 3), kind))):
                assert isinstance(found, jax.Array) and found.dtype == kind
                assert np.asarray(found).tobytes() == np.asarray(value).tobytes(), kind


def test_tensorflow(there_and_back):
    """All types of tensors that have values, quantized ones and texts too; a tensor of handles is refused."""
    tf = pytest.importorskip("tensorflow")
    kinds = {each for each in vars(tf).values() if isinstance(each, tf.DType)} - {tf.resource, tf.variant, tf.string}
    assert len(kinds) > 18
    for kind in kinds:
        array = np.arange(6, dtype=np.uint8).reshape(2, 3) % 2
        value = (
            tf.bitcast(tf.cast(array, tf.as_dtype(kind.name[1:])), kind) if "q" in kind.name else tf.cast(array, kind)
        )
        found = there_and_back(value)
        assert (found.dtype, found.numpy().tobytes()) == (kind, value.numpy().tobytes())
        assert there_and_back(value, tf.zeros_like(value) if "q" not in kind.name else value).dtype == kind
    texts = tf.constant([[b"a", b"\xff\0"], ["中".encode(), b""]])
    for value in (texts, texts[0, 1]):
        found = there_and_back(value, tf.Variable(tf.zeros_like(value)))
        assert found.dtype == tf.string and np.array_equal(found.numpy(), value.numpy())
        assert np.array_equal(there_and_back(value).numpy(), value.numpy())
    with pytest.raises(AssertionError, match="it has dtype string and in the state int32"):
        there_and_back(tf.constant([1]), texts[0, :1])
