"""One table of every specification, one list of properties; and how wrong settings are told."""

import copy
import inspect

import pytest
from members import KINDS, SPECS, rows, small
from sklearn.base import clone

import isthmus
from isthmus import Autoencoder, codes, corruptions, decoders, encoders, likelihoods, networks, penalties, priors, zoo
from isthmus._constraints import AnyOf, Each, Flag, Has, Number, OneOf, Text
from isthmus._spec import Spec, family
from isthmus.assembly import FAMILIES
from isthmus.errors import SettingError

MODULES = list(FAMILIES.values())
NAMES = {module.__name__.rpartition(".")[2]: module for module in (*MODULES, networks, priors)}


def qualified(spec):
    """How a user writes it: the parts within a sum have their module too."""
    module = NAMES[family(spec)]
    inner = {name: qualified(part) if isinstance(part, Spec) else repr(part) for name, part in own(spec).items()}
    arguments = ", ".join(f"{name}={value}" for name, value in inner.items())
    return f"{module.__name__.rpartition('.')[2]}.{type(spec).__name__}({arguments})"


def own(spec):
    return spec.get_params(deep=False)


def test_the_table_has_every_specification():
    found = {
        part
        for module in MODULES
        for part in vars(module).values()
        if inspect.isclass(part) and issubclass(part, Spec) and family(part) == module.__name__.removeprefix("isthmus.")
    }
    inner = {penalties.Penalty, likelihoods.Columns}  # a base, and what is a part of Mixed alone
    assert found - {type(spec) for spec in SPECS} == inner, "add a row to SPECS in tests/members.py"


@pytest.mark.parametrize("spec", SPECS, ids=repr)
class TestEverySpecification:
    def test_clones_are_equal_and_apart(self, spec):
        for twin in (clone(spec), copy.deepcopy(spec)):
            assert twin == spec
            assert twin is not spec

    def test_its_repr_evaluates_back(self, spec):
        names = {name: value for module in MODULES for name, value in vars(module).items() if type(spec) is value}
        names |= {"KL": penalties.KL, "Contraction": penalties.Contraction}
        names |= {"Rotation": corruptions.Rotation, "Masking": corruptions.Masking}
        names |= {"Standard": priors.Standard, "Mixture": priors.Mixture, "Vamp": priors.Vamp}
        names = {name: getattr(likelihoods, name) for name in likelihoods.__all__} | {"MLP": networks.MLP} | names
        names |= {name: getattr(decoders, name) for name in ("MLP", "Linear") if family(spec) == "decoders"}
        assert eval(repr(spec), names) == spec  # noqa: S307  # our own text
        assert eval(qualified(spec), dict(NAMES)) == spec  # noqa: S307

    def test_parameters_round_trip(self, spec):
        deep = spec.get_params()
        assert copy.deepcopy(spec).set_params(**deep) == spec
        assert type(spec)(**own(spec)) == spec

    def test_it_differs_from_others(self, spec):
        assert [other for other in SPECS if other == spec] == [spec]

    def test_equal_by_value_and_mutable_so_not_hashable(self, spec):
        with pytest.raises(TypeError, match=f"unhashable type: '{type(spec).__name__}'"):
            hash(spec)

    def test_unknown_names_are_answered_with_the_nearest(self, spec):
        with pytest.raises(SettingError) as caught:
            copy.deepcopy(spec).set_params(strenght=1)
        known = sorted(own(spec))
        near = [name for name in ("strength", "content", "step") if name in known]
        hint = f"did you mean {near[0]!r}?" if near else f"known: {', '.join(known)}"
        assert str(caught.value) == f"no such setting: strenght; in {type(spec).__name__}; {hint}"

    def test_it_is_valid(self, spec):
        spec.validate()

    def test_it_is_refused_in_other_slots(self, spec):
        home = f"isthmus.{family(spec)}"
        for slot, module in FAMILIES.items():
            if module.__name__ != home:
                with pytest.raises(SettingError) as caught:
                    Autoencoder(**{slot: spec}).fit(rows())
                name, right = family(spec), module.__name__.removeprefix("isthmus.")
                message = f"{name}.{spec!r} is no {slot}; in the slot {slot}; one of {right}"
                assert str(caught.value) == message


def wrong(constraint):
    """Values that a constraint must not admit."""
    if isinstance(constraint, Number):
        ends = ((constraint.low, constraint.open_low), (constraint.high, constraint.open_high))
        edges = [end for end, is_open in ends if is_open]
        below = [constraint.low - 1] if constraint.low > float("-inf") else []
        return ["7", None, True, float("nan"), float("inf"), *edges, *below, *([1.5] if constraint.whole else [])]
    if isinstance(constraint, AnyOf):
        return [bad for option in constraint.options for bad in wrong(option) if not constraint.fits(bad)]
    if isinstance(constraint, Each):
        return [7, "7", *[(bad,) for bad in wrong(constraint.member)]]
    if isinstance(constraint, OneOf):
        return ["bogus", 7, None, True]
    if isinstance(constraint, Flag):
        return ["yes", 1, None]
    if isinstance(constraint, Has | Text):
        return [7, None]
    raise TypeError(f"say what does not fit {constraint!r}")


WRONG = [
    (spec, name, value)
    for spec in SPECS
    for name, constraint in spec.constraints.items()
    for value in wrong(constraint)
]


@pytest.mark.parametrize(("spec", "name", "value"), WRONG, ids=lambda v: getattr(type(v), "__name__", ""))
def test_wrong_values_are_told_from_the_table(spec, name, value):
    broken = copy.deepcopy(spec).set_params(**{name: value})
    with pytest.raises(SettingError) as caught:
        broken.validate()
    assert str(caught.value) == f"{name} must be {spec.constraints[name]}; got {value!r}; in {type(spec).__name__}"


def test_parameters_of_a_number_are_refused():
    with pytest.raises(SettingError) as caught:
        penalties.KL().set_params(rho__low=0)
    assert str(caught.value) == "rho is 0.05, which has no parameters; in KL; set rho itself"


MESSAGES = [
    ({"code_size": 0}, "code_size must be a whole number >= 1; got 0"),
    ({"code_size": -3}, "code_size must be a whole number >= 1; got -3"),
    ({"learning_rate": 0}, "learning_rate must be a number > 0; got 0"),
    ({"validation_fraction": 1}, "validation_fraction must be a number >= 0 and < 1; got 1"),
    ({"batch_size": 0}, "batch_size must be one of 'auto', None or a whole number >= 1; got 0"),
    ({"max_epochs": "many"}, "max_epochs must be one of 'auto' or a whole number >= 1; got 'many'"),
    ({"scaling": "robust"}, "scaling must be one of 'auto', 'standard', 'minmax', 'global', None; got 'robust'"),
    ({"schedule": "step"}, "schedule must be one of 'cosine', 'constant'; got 'step'"),
    ({"early_stopping": "yes"}, "early_stopping must be True or False; got 'yes'"),
    ({"device": None}, "device must be 'auto' or a device's name such as 'cpu'; got None"),
    (
        {"dtype": "float16"},
        (
            "dtype must be one of None, 'float32', 'float64', 'bfloat16', torch.float32, torch.float64, "
            "torch.bfloat16; got 'float16'"
        ),
    ),
    (
        {"input_shape": ()},
        "input_shape must be one of None or a sequence of at least 1, each a whole number >= 1; got ()",
    ),
    (
        {"encoder": "mlp"},
        (
            "encoder must be one of None or a specification such as encoders.MLP((512, 256)), a torch.nn.Module, or a "
            "callable that returns one; got 'mlp'"
        ),
    ),
    (
        {"random_state": "x"},
        (
            "random_state must be one of None or a numpy.random.RandomState or a whole number >= 0 and <= 9.22337e+18; "
            "got 'x'"
        ),
    ),
    (
        {"code_size": 0, "patience": 0},
        "code_size must be a whole number >= 1; got 0 and patience must be a whole number >= 1; got 0",
    ),
]


@pytest.mark.parametrize(("settings", "message"), MESSAGES, ids=lambda v: next(iter(v)) if isinstance(v, dict) else "")
def test_wrong_settings_of_the_estimator(settings, message):
    with pytest.raises(SettingError) as caught:
        Autoencoder(**settings).fit(rows())
    assert str(caught.value) == f"{message}; in Autoencoder"


def test_settings_of_parts_are_checked_by_fit():
    with pytest.raises(SettingError) as caught:
        small("sparse", penalty=penalties.KL(rho=2)).fit(rows())
    assert str(caught.value) == "rho must be a number > 0 and < 1; got 2; in KL"


def test_the_constructor_stores_and_does_not_validate():
    assert Autoencoder(code_size="x").code_size == "x"


def test_unknown_settings_of_the_estimator():
    with pytest.raises(SettingError) as caught:
        Autoencoder().set_params(cod_size=3)
    assert str(caught.value) == "no such setting: cod_size; in Autoencoder; did you mean 'code_size'?"
    with pytest.raises(SettingError) as caught:
        Autoencoder().set_params(penalty__strength=3)
    assert str(caught.value) == (
        "penalty__strength cannot be set: penalty is None; in Autoencoder; "
        "a specification, which has parameters of its own"
    )


def test_a_part_and_its_setting_can_be_set_at_once():
    ae = Autoencoder().set_params(penalty=penalties.L1(0.1), penalty__strength=0.7)
    assert ae.penalty == penalties.L1(0.7)


@pytest.mark.parametrize("kind", KINDS)
class TestEveryKind:
    def test_clones_alike(self, kind):
        ae = small(kind)
        assert clone(ae).get_params() == ae.get_params()

    def test_the_users_slots_win(self, kind):
        ae = zoo.KINDS[kind](5, code=codes.Plain(), encoder=encoders.MLP((7,)), penalty=None, max_epochs=9)
        assert (ae.code_size, ae.code, ae.encoder, ae.penalty, ae.max_epochs) == (
            5,
            codes.Plain(),
            encoders.MLP((7,)),
            None,
            9,
        )

    def test_unknown_settings(self, kind):
        with pytest.raises(SettingError) as caught:
            zoo.KINDS[kind](learning_rat=1)
        assert str(caught.value) == "no such setting: learning_rat; in the zoo; did you mean 'learning_rate'?"

    def test_its_docstring_is_its_equation(self, kind):
        assert "½‖x − x̂‖²" in zoo.KINDS[kind].__doc__ or "log p(x" in zoo.KINDS[kind].__doc__


def test_unknown_noise():
    with pytest.raises(SettingError) as caught:
        zoo.denoising(noise="gausian")
    assert str(caught.value) == "no noise called 'gausian'; in noise; did you mean 'gaussian'?"


def test_public_names():
    assert {
        "Autoencoder",
        "AnomalyDetector",
        "zoo",
        "evidence",
        "load",
        "corruptions",
        "encoders",
        "decoders",
        "codes",
        "likelihoods",
        "penalties",
    } <= set(dir(isthmus))
    with pytest.raises(AttributeError, match=r"^module 'isthmus' has no attribute 'nothing'$"):
        isthmus.nothing  # noqa: B018


def test_mirrors():
    assert encoders.Linear().mirror() == decoders.Linear()
    assert encoders.MLP((5, 4), "tanh").mirror() == decoders.MLP((4, 5), "tanh")
    assert corruptions.named("masking", 0.2) == corruptions.Masking(0.2)
    assert likelihoods.Gaussian() != likelihoods.Laplace()
