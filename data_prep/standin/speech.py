"""Speech from eSpeak NG, each utterance in a process of its own.

eSpeak NG keeps state between utterances, so that a text's second utterance differs from its first. Only a
fresh process gives the same samples for the same arguments. The library is licensed under GPLv3, which is
another reason to load it only in short-lived child processes.
"""

from __future__ import annotations

import contextlib
import ctypes
import itertools
import multiprocessing
import signal
from collections.abc import Callable, Iterable, Iterator
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import Any

import numpy as np

from data_prep.base.faults import Faults
from data_prep.base.processes import interrupts_held

SAMPLE_RATE = 22050

# From espeak-ng/speak_lib.h
SYNCHRONOUS = 2
PHONEME_EVENTS, DONT_EXIT = 0x0001, 0x8000
UTF8, PHONEMES, END_PAUSE = 0x0001, 0x0100, 0x1000
RATE, PITCH, RANGE = 1, 3, 4
EVENT_END_OF_LIST, EVENT_PHONEME = 0, 7
SEPARATOR = "."  # between phonemes; no English mnemonic contains it


class _Event(ctypes.Structure):
    _fields_ = [
        ("type", ctypes.c_int),
        ("unique_identifier", ctypes.c_uint),
        ("text_position", ctypes.c_int),
        ("length", ctypes.c_int),
        ("audio_position", ctypes.c_int),
        ("sample", ctypes.c_int),
        ("user_data", ctypes.c_void_p),
        ("id", ctypes.c_char * 8),
    ]


_Callback = ctypes.CFUNCTYPE(
    ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.POINTER(_Event)
)


def each_in_fresh_process(function: Callable, calls: Iterable[tuple], jobs: int = 1) -> Iterator:
    """Call a function several times, each time in a process of its own.

    A process for each call is needed because eSpeak NG repeats its samples only in a fresh one. It is forked
    because starting Python anew takes longer than an utterance. It is forked from a helper process and not
    from this one, because a fork copies locks that other threads hold at that moment, and nobody releases the
    copies. A helper has one thread. It does not run the caller's main module.

    Args:
        function: The function.
        calls: The arguments of each call.
        jobs: The number of processes at a time.

    Yields:
        The result of each call, in the order in which the calls end.

    Raises:
        Faults: A call raised Faults, or its process died; or this process is a daemon of ``multiprocessing``,
            which may not start others.
        OSError: A call raised OSError.
    """
    if multiprocessing.current_process().daemon:
        raise Faults(
            "eSpeak NG needs processes of its own, and a worker of multiprocessing.Pool may not start any; "
            "make the stand-in first, with `python -m data_prep standin`"
        )
    remaining = iter(calls)
    helpers: dict[Connection, Any] = {}
    idle: list[Connection] = []
    running: dict[Connection, tuple] = {}
    try:
        while True:
            while len(running) < jobs and (call := next(remaining, None)) is not None:
                if not idle:
                    here, helper = _start(function)
                    helpers[here] = helper
                    idle.append(here)
                here = idle.pop()
                running[here] = call
                with contextlib.suppress(BrokenPipeError):  # reported when the answer is read
                    here.send(call)
            if not running:
                return
            ready = wait(list(running))
            for here in [pipe for pipe in running if pipe in ready]:
                result = _result(here, helpers[here], running.pop(here))
                idle.append(here)
                yield result
    finally:
        for here in running:
            with contextlib.suppress(EOFError, OSError):
                here.recv()  # a helper ends after its call
        for here, helper in helpers.items():
            here.close()
            helper.join()


def _start(function: Callable) -> tuple[Connection, Any]:
    """Start a helper; return the connection to it, and its process."""
    from joblib.externals.loky.backend import get_context

    here, there = multiprocessing.Pipe()
    helper = get_context("loky").Process(target=_help, args=(there, function))
    with interrupts_held():
        helper.start()
    there.close()
    return here, helper


def _result(here: Connection, helper: Any, call: tuple) -> object:
    """Return the answer of a helper to a call. Raise its error."""
    try:
        error, result = here.recv()
    except (EOFError, OSError):
        helper.join()
        raise _died(helper.exitcode, call) from None
    if error:
        raise error
    return result


def _died(exit_code: int | None, call: tuple) -> Faults:
    """Describe a process that ended without an answer to ``call``."""
    return Faults(
        f"eSpeak NG's process died (exit code {exit_code}) on {str(call):.120}; run the same command again"
    )


def _help(there: Connection, function: Callable) -> None:
    """Fork a process for each call that arrives, and send its answer, until the other side closes."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # after Ctrl-C the parent lets the running calls end
    context = multiprocessing.get_context("fork")
    with contextlib.suppress(EOFError, BrokenPipeError, ConnectionResetError):
        while True:
            call = there.recv()
            source, target = context.Pipe(duplex=False)
            child = context.Process(target=_child, args=(target, function, call))
            child.start()
            target.close()
            try:
                answer = source.recv()
                child.join()
            except EOFError:
                child.join()
                answer = _died(child.exitcode, call), None
            source.close()
            there.send(answer)


def _child(there: Connection, function: Callable, call: tuple) -> None:
    answer: tuple[Exception | None, object]
    try:
        answer = None, function(*call)
    except (Faults, OSError) as error:
        answer = error, None
    with contextlib.suppress(BrokenPipeError):  # the helper was killed
        there.send(answer)


class ESpeak:
    """The library, loaded into this process. Create one object for each utterance, in a fresh process.

    Raises:
        Faults: The library cannot be loaded.
    """

    def __init__(self) -> None:
        if multiprocessing.parent_process() is None:
            raise RuntimeError("eSpeak NG belongs in a process of its own: use each_in_fresh_process")
        try:
            import espeakng_loader

            self._library = ctypes.CDLL(espeakng_loader.get_library_path())
        except (ImportError, OSError) as error:
            raise Faults(f"eSpeak NG cannot be loaded ({error}); pip install espeakng-loader") from None
        self._data = Path(espeakng_loader.get_data_path())
        rate = self._library.espeak_Initialize(
            SYNCHRONOUS, 0, str(self._data).encode(), PHONEME_EVENTS | DONT_EXIT
        )
        if rate != SAMPLE_RATE:
            raise Faults(
                f"{self._data}: eSpeak NG cannot read its data (answer {rate}); reinstall espeakng-loader"
            )
        # The breath of some variants is noise, which the library would seed with the time in seconds.
        self._library.espeak_ng_SetRandSeed(ctypes.c_long(1))
        self._library.espeak_TextToPhonemes.restype = ctypes.c_char_p
        self._library.espeak_Info.restype = ctypes.c_char_p

    @property
    def version(self) -> str:
        """The version of eSpeak NG, such as ``1.52.0``."""
        return self._library.espeak_Info(None).decode()

    def phonemes(self, text: str, voice: str) -> str:
        """Convert ``text`` to the phonemes of ``voice``.

        Returns:
            eSpeak's mnemonics, with ``.`` between phonemes and spaces between words.

        Raises:
            Faults: There is no such voice.
        """
        self._use(voice)
        clauses, rest = [], ctypes.c_char_p(text.encode())
        while rest.value is not None:
            clauses.append(
                self._library.espeak_TextToPhonemes(
                    ctypes.byref(rest), UTF8, 1 | ord(SEPARATOR) << 8
                ).decode()
            )
        return " ".join(clauses)

    def say(
        self, text: str, voice: str, variant: str, rate: int, pitch: int, pitch_range: int
    ) -> tuple[np.ndarray, list[str]]:
        """Speak a text.

        Args:
            text: The text. Phonemes stand in ``[[...]]``.
            voice: The voice.
            variant: The variant of the voice, or ''.
            rate: Words per minute, 80 to 450.
            pitch: 0 to 100; 50 is the voice's own.
            pitch_range: 0 to 100; 50 is the voice's own.

        Returns:
            float64 samples (n,) in -1..1 at 22.05 kHz, and the phonemes that were spoken. eSpeak omits
            phonemes that it does not know.

        Raises:
            Faults: There is no such voice or variant, or eSpeak NG rejects the text or a value.
        """
        self._use(f"{voice}+{variant}" if variant else voice)
        for parameter, value in ((RATE, rate), (PITCH, pitch), (RANGE, pitch_range)):
            if self._library.espeak_SetParameter(parameter, int(value), 0):
                raise Faults(f"eSpeak NG rejects the value {value} for its parameter {parameter}")
        blocks, spoken = [], []

        @_Callback
        def hear(block, count, events):
            if block and count:
                blocks.append(np.ctypeslib.as_array(block, (count,)).copy())
            for event in itertools.count():
                if events[event].type == EVENT_END_OF_LIST:
                    return 0
                if events[event].type == EVENT_PHONEME:
                    spoken.append(events[event].id.decode())

        self._library.espeak_SetSynthCallback(hear)
        content = text.encode()
        answer = self._library.espeak_Synth(
            content, len(content) + 1, 0, 1, 0, UTF8 | PHONEMES | END_PAUSE, None, None
        )
        if answer or self._library.espeak_Synchronize() or not blocks:
            raise Faults(f"eSpeak NG's voice {voice}+{variant} is silent (answer {answer}) for: {text}")
        return np.concatenate(blocks) / 32768, spoken

    def _use(self, voice: str) -> None:
        variant = voice.partition("+")[2]  # eSpeak ignores an unknown variant silently
        exists = not variant or (self._data / "voices" / "!v" / variant).is_file()
        if not exists or self._library.espeak_SetVoiceByName(voice.encode()):
            raise Faults(f"eSpeak NG has no voice {voice}; reinstall espeakng-loader as constraints.txt says")


def espeak_version() -> str:
    """Return the version of eSpeak NG. Call this through ``each_in_fresh_process``."""
    return ESpeak().version
