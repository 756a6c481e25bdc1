"""One utterance at a time out of eSpeak NG, each in a process of its own.

eSpeak NG keeps state between utterances (its second utterance of a text is not its first), so only a
process that has said nothing yet says the same samples for the same arguments. It is licensed under
GPLv3 as well, another reason why the library is loaded only in the short-lived child.
"""

from __future__ import annotations

import contextlib
import ctypes
import itertools
import multiprocessing
import signal
from collections.abc import Callable, Iterable, Iterator
from multiprocessing.connection import wait
from pathlib import Path

import numpy as np

from data_prep.base.faults import Faults
from data_prep.base.processes import interrupts_held

SAMPLE_RATE = 22050

# Out of espeak-ng/speak_lib.h
SYNCHRONOUS = 2
PHONEME_EVENTS, DONT_EXIT = 0x0001, 0x8000
UTF8, PHONEMES, END_PAUSE = 0x0001, 0x0100, 0x1000
RATE, PITCH, RANGE = 1, 3, 4
EVENT_END_OF_LIST, EVENT_PHONEME = 0, 7
SEPARATOR = "."  # between phonemes; part of no English mnemonic


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
    """Yield ``function(*call)`` for every call, in the order they end; each in a forked process of its own.

    At most ``jobs`` run at once. ``Faults``, or what the system refuses (OSError), in a child is raised here;
    a child that dies is a fault as well.
    """
    context = multiprocessing.get_context("fork")
    calls, running = iter(calls), {}
    try:
        while True:
            while len(running) < jobs and (call := next(calls, None)) is not None:
                here, there = context.Pipe(duplex=False)
                child = context.Process(target=_child, args=(there, function, call))
                with interrupts_held():
                    child.start()
                there.close()
                running[here] = child, call
            if not running:
                return
            for here in wait(list(running)):
                child, call = running.pop(here)
                try:
                    error, result = here.recv()
                except EOFError:
                    child.join()
                    error = Faults(
                        f"eSpeak NG's process died (exit code {child.exitcode}) on {str(call):.120}: "
                        "run it again"
                    )
                child.join()
                here.close()
                if error:
                    raise error
                yield result
    finally:
        for here, (child, _) in running.items():
            with contextlib.suppress(EOFError):
                here.recv()  # a child cannot end while its answer is stuck in the pipe
            child.join()


def _child(there, function: Callable, call: tuple) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent stops; what has begun is ended properly
    try:
        answer = None, function(*call)
    except (Faults, OSError) as error:
        answer = error, None
    with contextlib.suppress(BrokenPipeError):  # the parent was killed meanwhile
        there.send(answer)


class ESpeak:
    """The library, loaded into this process. Make one in a fresh process, and say one thing with it.

    Raises ``Faults`` where the library, a voice or a variant is missing or refuses.
    """

    def __init__(self) -> None:
        if multiprocessing.parent_process() is None:
            raise RuntimeError("eSpeak NG belongs in a process of its own: use each_in_fresh_process")
        try:
            import espeakng_loader

            self._library = ctypes.CDLL(espeakng_loader.get_library_path())
        except (ImportError, OSError) as error:
            raise Faults(f"eSpeak NG cannot be loaded ({error}): pip install espeakng-loader") from None
        self._data = Path(espeakng_loader.get_data_path())
        rate = self._library.espeak_Initialize(
            SYNCHRONOUS, 0, str(self._data).encode(), PHONEME_EVENTS | DONT_EXIT
        )
        if rate != SAMPLE_RATE:
            raise Faults(
                f"{self._data}: eSpeak NG cannot read its data (answer {rate}): reinstall espeakng-loader"
            )
        # The breath of some variants is noise, which the library seeds with the clock's second.
        self._library.espeak_ng_SetRandSeed(ctypes.c_long(1))
        self._library.espeak_TextToPhonemes.restype = ctypes.c_char_p
        self._library.espeak_Info.restype = ctypes.c_char_p

    @property
    def version(self) -> str:
        """Of eSpeak NG, such as ``1.52.0``."""
        return self._library.espeak_Info(None).decode()

    def phonemes(self, text: str, voice: str) -> str:
        """What ``voice`` makes of ``text``: eSpeak's mnemonics, ``.`` between them, blanks between words."""
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
        """Speak ``text``, where ``[[...]]`` holds phonemes.

        ``rate`` is in words a minute, 80 to 450; ``pitch`` and ``pitch_range`` are 0 to 100, 50 is the
        voice's own. Returns float64 samples in -1..1 at 22.05 kHz, shape (samples,), and the phonemes
        that were in fact spoken, for eSpeak passes over what it does not know.
        """
        self._use(f"{voice}+{variant}" if variant else voice)
        for parameter, value in ((RATE, rate), (PITCH, pitch), (RANGE, pitch_range)):
            if self._library.espeak_SetParameter(parameter, int(value), 0):
                raise Faults(f"eSpeak NG refuses the value {value} for its parameter {parameter}")
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
        said = text.encode()
        answer = self._library.espeak_Synth(
            said, len(said) + 1, 0, 1, 0, UTF8 | PHONEMES | END_PAUSE, None, None
        )
        if answer or self._library.espeak_Synchronize() or not blocks:
            raise Faults(f"eSpeak NG's voice {voice}+{variant} says nothing (answer {answer}) to: {text}")
        return np.concatenate(blocks) / 32768, spoken

    def _use(self, voice: str) -> None:
        variant = voice.partition("+")[2]  # an unknown variant is passed over without a word, so look for it
        known = not variant or (self._data / "voices" / "!v" / variant).is_file()
        if not known or self._library.espeak_SetVoiceByName(voice.encode()):
            raise Faults(f"eSpeak NG has no voice {voice}: reinstall espeakng-loader as constraints.txt says")
